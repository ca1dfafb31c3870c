package azure

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"loggia/api/azure/fault"
)

// pageSize is the number of resources in one page of a list.
const pageSize = 200

// page is one page of a list.
type page struct {
	Value    []any  `json:"value"`
	NextLink string `json:"nextLink,omitempty"`
}

// paged answers one page of all, which is ordered by the text that key gives. The next link names the last key of
// this page, so that what is added or deleted between two pages moves nothing.
func paged[T any](r *request, all []T, key func(T) string, render func(T) (any, error)) (answer, error) {
	after, err := skipToken(r.URL.Query())
	if err != nil {
		return answer{}, err
	}
	if after != "" {
		i, found := slices.BinarySearchFunc(all, after, func(x T, k string) int { return strings.Compare(key(x), k) })
		if found {
			i++
		}
		all = all[i:]
	}
	out := page{Value: make([]any, 0, min(len(all), pageSize))}
	for i, x := range all {
		if i == pageSize {
			out.NextLink = r.nextLink(key(all[i-1]))
			break
		}
		v, err := render(x)
		if err != nil {
			return answer{}, err
		}
		out.Value = append(out.Value, v)
	}
	return ok(out), nil
}

const skipParam = "$skiptoken"

// maxToken bounds a skip token, in bytes.
const maxToken = 1 << 10

func skipToken(q url.Values) (string, error) {
	text := q.Get(skipParam)
	if text == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > maxToken {
		return "", fault.At(fault.InvalidParameter, skipParam, "The skip token is not one that a list gave.")
	}
	return string(b), nil
}

// nextLink is absolute and carries every parameter of this request (clients GET it as it is).
func (r *request) nextLink(after string) string {
	q := r.URL.Query()
	q.Set(skipParam, base64.RawURLEncoding.EncodeToString([]byte(after)))
	u := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
	return r.base() + u.String()
}

// pagedByOrder pages a list whose order is that of its making; the next link counts.
func pagedByOrder[T any](r *request, all []T, render func(T) (any, error)) (answer, error) {
	type counted struct {
		n string
		x T
	}
	rows := make([]counted, len(all))
	for i, x := range all {
		rows[i] = counted{fmt.Sprintf("%010d", i), x}
	}
	return paged(r, rows, func(c counted) string { return c.n }, func(c counted) (any, error) { return render(c.x) })
}
