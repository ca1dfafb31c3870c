// Package measure says what a job cost, as a table for people and as JSON for machines.
package measure
