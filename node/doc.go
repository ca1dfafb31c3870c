// Package node assembles one region node out of its parts and ends them in order.
package node
