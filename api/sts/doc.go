// Package sts serves identity to OAuth 2.0 clients: where things are, the token endpoint, and the keys that tokens are signed with.
package sts
