package azure

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestPages reads a list page by page, by links alone, while it changes between two pages: nothing that stays is missed or shown twice.
func TestPages(t *testing.T) {
	var all []string
	for i := range 2*pageSize + 50 {
		all = append(all, fmt.Sprintf("name-%05d", 2*i))
	}
	h := &handler{o: Options{Base: func(*http.Request) string { return "https://gallery.example:8443" }}}
	ask := func(link string) (page, error) {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		a, err := paged(&request{Request: &http.Request{URL: u}, h: h}, all, func(s string) string { return s }, func(s string) (any, error) { return s, nil })
		p, _ := a.body.(page)
		return p, err
	}
	var got []any
	link := "https://gallery.example:8443/subscriptions/s/resourceGroups?api-version=2021-04-01&%24filter=x"
	for pages := 0; link != ""; pages++ {
		p, err := ask(link)
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, p.Value...); len(p.Value) > pageSize || pages > 5 {
			t.Fatalf("page %d has %d", pages, len(p.Value))
		}
		if link = p.NextLink; link != "" && (!strings.HasPrefix(link, "https://gallery.example:8443/subscriptions/s/resourceGroups?") || !strings.Contains(link, "api-version=2021-04-01")) {
			t.Fatalf("next link %q", link)
		}
		if pages == 0 { // the last of this page goes, and others come before and after it
			all = slices.Delete(all, pageSize-1, pageSize)
			all = append(all, "name-00001", "name-99999")
			slices.Sort(all)
		}
	}
	if len(got) != 2*pageSize+51 || got[len(got)-1] != "name-99999" {
		t.Errorf("read %d, the last is %v", len(got), got[len(got)-1])
	}
	if _, err := ask("https://x/?%24skiptoken=%21"); err == nil {
		t.Error("a skip token of nobody was taken")
	}
	if p, err := ask("https://x/?%24skiptoken=bmFtZS05OTk5OQ"); err != nil || len(p.Value) != 0 || p.NextLink != "" {
		t.Errorf("after the last: %v, %v", p, err)
	}
}
