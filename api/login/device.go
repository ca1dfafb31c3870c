package login

import (
	"context"
	"errors"

	"golang.org/x/oauth2"
)

// Prompt is what a person has to do elsewhere: open a page and, where there is one, type a code.
type Prompt struct {
	URL  string
	Code string
}

// Device logs in with a code that the person types on any device (RFC 8628). show is called once; then Device waits
// until the person has agreed, refused, or taken too long.
func (s *Session) Device(ctx context.Context, show func(Prompt)) (string, error) {
	if s.conf.Endpoint.DeviceAuthURL == "" {
		return "", errors.New("the issuer offers no device login; use --browser")
	}
	ctx = s.with(ctx)
	verifier := oauth2.GenerateVerifier()
	d, err := s.conf.DeviceAuth(ctx, oauth2.S256ChallengeOption(verifier))
	if err != nil {
		return "", told(err)
	}
	if !safe(s.issuer.URL, d.VerificationURI) || d.VerificationURI == "" {
		return "", errors.New("the issuer names a page for the code that is no https URL")
	}
	show(Prompt{URL: d.VerificationURI, Code: clean(d.UserCode)})
	return idToken(s.conf.DeviceAccessToken(ctx, d, oauth2.VerifierOption(verifier)))
}
