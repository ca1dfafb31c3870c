// Package login logs a person in at an outside OpenID Connect issuer and returns its ID token.
package login
