package main

import (
	"strings"
	"testing"

	"loggia/api/manage"
	"loggia/api/v1"
)

// TestIdentify gives images of every length of name an identifier that keeps the rules.
func TestIdentify(t *testing.T) {
	for n := 1; n <= 80; n++ {
		for _, name := range []string{strings.Repeat("i", n), "i" + strings.Repeat(".", max(0, n-2)) + "i"} {
			i := v1.Image{Gallery: "g", Name: name, OSType: "Linux", OSState: "Generalized", HyperVGeneration: "V2", Architecture: "x64"}
			identify(&i)
			if err := manage.CheckImage(i); err != nil && !strings.Contains(name, "..") {
				t.Errorf("%q: %v", name, err)
			}
			if rest := strings.TrimPrefix(i.Name, i.Offer); rest != "" && rest != i.SKU {
				t.Errorf("%q: offer %q, sku %q", name, i.Offer, i.SKU)
			}
		}
	}
	for _, x := range []struct{ given, want v1.Image }{
		{v1.Image{}, v1.Image{Publisher: "g", Offer: "i", SKU: "default"}},
		{v1.Image{Publisher: "p", Offer: "o"}, v1.Image{Publisher: "p", Offer: "o", SKU: "default"}},
		{v1.Image{SKU: "s"}, v1.Image{Publisher: "g", Offer: "i", SKU: "s"}},
	} {
		i := x.given
		i.Gallery, i.Name = "g", "i"
		identify(&i)
		if i.Publisher != x.want.Publisher || i.Offer != x.want.Offer || i.SKU != x.want.SKU {
			t.Errorf("%+v became %s/%s/%s", x.given, i.Publisher, i.Offer, i.SKU)
		}
	}
}
