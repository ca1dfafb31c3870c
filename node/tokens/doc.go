// Package tokens makes and checks what principals prove themselves with: Loggia's own JWTs, client secrets and assertions, and the ID tokens of outside issuers.
package tokens
