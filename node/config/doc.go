// Package config resolves the options of one region node from flags, environment and file.
package config
