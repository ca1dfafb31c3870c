// Package service is what people can ask of a node: it answers from the state and turns wishes into commands.
package service
