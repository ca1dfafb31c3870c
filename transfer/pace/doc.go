// Package pace holds transfers below limits that are nested and change while they run, and shares what those allow by class and in equal parts.
package pace
