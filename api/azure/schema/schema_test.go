package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"loggia/api/azure/fault"
)

// newest is later than every field.
const newest Version = "2099-01-01"

// sample makes a value of a field; n makes different ones.
func sample(f *field, n int) any {
	switch f.shape {
	case text:
		return fmt.Sprintf("t%d", n)
	case flag:
		return n%2 == 0
	case number, large:
		return int64(f.min + 1 + n)
	case date:
		return fmt.Sprintf("20%02d-01-02T03:04:05.0000000+00:00", 30+n)
	case choice:
		return f.values[n%len(f.values)]
	case object:
		return sampleOf(f.of, n)
	case list:
		return []any{sampleOf(f.of, n)}
	case texts:
		return []any{fmt.Sprintf("e%d", n)}
	case dict:
		return Tree{"k": fmt.Sprintf("v%d", n)}
	}
	return Tree{"any": fmt.Sprintf("x%d", n)}
}

func sampleOf(fields []field, n int) Tree {
	t := Tree{}
	for i := range fields {
		t[fields[i].name] = sample(&fields[i], n)
	}
	return t
}

// place is a field and where it is: list elements are entered by [0].
type place struct {
	field *field
	path  []string
	since Version // of it and all around it
	fixed bool    // something around it is immutable or read-only
	list  bool    // it is in an element of a list
}

func walk(fields []field, at place, visit func(place)) {
	for i := range fields {
		f := &fields[i]
		p := place{field: f, path: append(append([]string{}, at.path...), f.name), since: max(f.since, at.since), fixed: at.fixed || at.field != nil && at.field.mode != updatable, list: at.list}
		visit(p)
		switch f.shape {
		case object:
			walk(f.of, p, visit)
		case list:
			p.path, p.list = append(p.path, "[0]"), true
			walk(f.of, p, visit)
		}
	}
}

// at returns the object that holds the last name of a path.
func at(t Tree, path []string) Tree {
	var v any = t
	for _, name := range path[:len(path)-1] {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			v = x[0]
		}
	}
	out, _ := v.(map[string]any)
	return out
}

func get(t Tree, path []string) any {
	o := at(t, path)
	if o == nil {
		return nil
	}
	return o[path[len(path)-1]]
}

func show(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestEveryField walks the table: what each field does when it is left out, and when an older client writes.
func TestEveryField(t *testing.T) {
	count := 0
	for k, fields := range kinds {
		walk(fields, place{}, func(p place) {
			count++
			name := string(k) + "." + strings.Join(p.path, ".")
			old := sampleOf(fields, 0)
			was := get(old, p.path)

			// A PATCH without it keeps it.
			if got := get(Merge(k, newest, old, Tree{}, http.MethodPatch), p.path); !reflect.DeepEqual(got, was) {
				t.Errorf("%s: PATCH without it: got %s, want %s", name, show(got), show(was))
			}
			// A PUT of a client that does not know it keeps it.
			if p.since > first && !p.fixed {
				in := clone(old).(Tree)
				delete(at(in, p.path), p.field.name)
				if got := get(Merge(k, first, old, in, http.MethodPut), p.path); !reflect.DeepEqual(got, was) {
					t.Errorf("%s: PUT of %s without it: got %s, want %s", name, first, show(got), show(was))
				}
			}
			testPut(t, k, p, name, old)
			testChange(t, k, p, name, old)
		})
	}
	if count < 150 {
		t.Errorf("%d fields: the table is not whole", count)
	}
}

// testPut is a PUT of the newest client that leaves the field out and sends all around it.
func testPut(t *testing.T, k Kind, p place, name string, old Tree) {
	t.Helper()
	in := clone(old).(Tree)
	o := at(in, p.path)
	key := p.list && p.field.name == "name" || p.field.name == "lun"
	if o == nil || key || p.field.name == "properties" {
		return
	}
	delete(o, p.field.name)
	got := get(Merge(k, newest, old, in, http.MethodPut), p.path)
	want := p.field.def
	switch {
	case p.field.mode != updatable || p.field.sticky:
		want = get(old, p.path)
	case p.field.shape == object:
		return // what survives inside is each member's own question
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: PUT without it: got %s, want %s", name, show(got), show(want))
	}
}

// testChange is a write of another value.
func testChange(t *testing.T, k Kind, p place, name string, old Tree) {
	t.Helper()
	if p.field.shape == object || p.field.shape == list || p.fixed && p.list {
		return
	}
	in := clone(old).(Tree)
	o := at(in, p.path)
	other := sample(p.field, 1)
	if o == nil || p.list && (p.field.name == "name" || p.field.name == "lun") || reflect.DeepEqual(other, o[p.field.name]) {
		return
	}
	o[p.field.name] = other
	merged := Merge(k, newest, old, in, http.MethodPut)
	err := CheckUpdate(k, old, merged)
	switch p.field.mode {
	case readOnly:
		if got := get(merged, p.path); !reflect.DeepEqual(got, get(old, p.path)) {
			t.Errorf("%s: a client's value of what is only shown was taken: %s", name, show(got))
		}
	case immutable:
		want := fault.PropertyChangeNotAllowed
		if p.field.name == "location" {
			want = fault.InvalidLocation
		}
		if !errors.Is(err, fault.New(want, "")) {
			t.Errorf("%s: a change: got %v, want %s", name, err, want)
		}
	default:
		if err != nil {
			t.Errorf("%s: a change: %v", name, err)
		}
		if got := get(merged, p.path); !reflect.DeepEqual(got, other) {
			t.Errorf("%s: a change: got %s, want %s", name, show(got), show(other))
		}
	}
}

func parsed(t *testing.T, s string) Tree {
	t.Helper()
	v := Tree{}
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// TestMergeAsClientsWrite are the writes of real clients that would destroy data on a server that takes them at their word.
func TestMergeAsClientsWrite(t *testing.T) {
	const version = `{"location":"a","tags":{"x":"y"},"properties":{
		"publishingProfile":{"targetRegions":[{"name":"a","regionalReplicaCount":2,"storageAccountType":"Premium_LRS","additionalReplicaSets":{"any":1}},{"name":"West US","regionalReplicaCount":1}],
			"replicaCount":1,"excludeFromLatest":false,"storageAccountType":"Standard_LRS","storageAccountStrategy":"PreferStandard_ZRS"},
		"storageProfile":{"source":{"id":"/s"},"osDiskImage":{"hostCaching":"ReadOnly"},"dataDiskImages":[{"lun":0,"hostCaching":"None","source":{"id":"/d"}}]},
		"safetyProfile":{"allowDeletionOfReplicatedLocations":false,"blockDeletionBeforeEndOfLife":true},"securityProfile":{"uefiSettings":{"any":1}}}}`
	for _, test := range []struct {
		name    string
		kind    Kind
		version Version
		method  string
		old, in string
		want    string // members of the result, by path
	}{
		{"az sig image-version update --set excludeFromLatest", ImageVersion, "2022-03-03", "PUT", version,
			`{"location":"a","tags":{"x":"y"},"properties":{"publishingProfile":{"targetRegions":[{"name":"a","regionalReplicaCount":2,"storageAccountType":"Premium_LRS"},{"name":"westus","regionalReplicaCount":1}],
			"replicaCount":1,"excludeFromLatest":true,"storageAccountType":"Standard_LRS"},"storageProfile":{"osDiskImage":{}},"safetyProfile":{"allowDeletionOfReplicatedLocations":false}}}`,
			`{"properties.publishingProfile.excludeFromLatest":true,"properties.safetyProfile.blockDeletionBeforeEndOfLife":true,"properties.securityProfile":{"uefiSettings":{"any":1}},
			"properties.publishingProfile.targetRegions.[0].additionalReplicaSets":{"any":1},"properties.publishingProfile.storageAccountStrategy":"PreferStandard_ZRS",
			"properties.storageProfile.source.id":"/s","properties.storageProfile.osDiskImage.hostCaching":"ReadOnly","properties.storageProfile.dataDiskImages.[0].source.id":"/d"}`},
		{"an update that says nothing of regions", ImageVersion, "2022-03-03", "PUT", version, `{"location":"a","properties":{"storageProfile":{"dataDiskImages":[{"lun":0}]}}}`,
			`{"properties.publishingProfile.targetRegions.[0].regionalReplicaCount":2,"properties.storageProfile.dataDiskImages.[0].hostCaching":"None","tags":null}`},
		{"a region dropped", ImageVersion, "2025-12-03", "PATCH", version, `{"properties":{"publishingProfile":{"targetRegions":[{"name":"a"}]}}}`,
			`{"properties.publishingProfile.targetRegions.[0].storageAccountType":"Premium_LRS","properties.publishingProfile.targetRegions.[0].regionalReplicaCount":null,"tags":{"x":"y"}}`},
		{"az sig image-definition update", Image, "2021-10-01", "PUT",
			`{"location":"a","properties":{"osType":"Linux","osState":"Generalized","identifier":{"publisher":"p","offer":"o","sku":"s"},"allowUpdateImage":true,"features":[{"name":"f","value":"v","startsAtVersion":"1.0.0"}],"description":"d"}}`,
			`{"location":"a","properties":{"osType":"Linux","osState":"Generalized","identifier":{"publisher":"p","offer":"o","sku":"s"},"features":[{"name":"f","value":"w"}],"description":"e"}}`,
			`{"properties.allowUpdateImage":true,"properties.features.[0].startsAtVersion":"1.0.0","properties.features.[0].value":"w","properties.description":"e"}`},
		{"az sig update", Gallery, "2021-10-01", "PUT", `{"location":"a","identity":{"type":"SystemAssigned"},"properties":{"description":"d","softDeletePolicy":{"isSoftDeleteEnabled":true}}}`,
			`{"location":"a","properties":{"description":"e"}}`, `{"identity":{"type":"SystemAssigned"},"properties.description":"e"}`},
		{"az gallery-application version update", ApplicationVersion, "2022-01-03", "PUT",
			`{"location":"a","properties":{"publishingProfile":{"source":{"mediaLink":"https://x/y?sig=1"},"manageActions":{"install":"i","remove":"r"},"targetRegions":[{"name":"a"},{"name":"b"}],"settings":{"packageFileName":"p"}}}}`,
			`{"location":"a","properties":{"publishingProfile":{"source":{"mediaLink":"https://x/y?sig=2"},"excludeFromLatest":true}}}`,
			`{"properties.publishingProfile.manageActions.install":"i","properties.publishingProfile.targetRegions.[0].name":"a","properties.publishingProfile.settings.packageFileName":"p","properties.publishingProfile.excludeFromLatest":true}`},
	} {
		old := parsed(t, test.old)
		in, err := Decode(test.kind, test.version, []byte(test.in))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := Merge(test.kind, test.version, old, in, test.method)
		for path, want := range parsed(t, test.want) {
			if v := get(got, strings.Split(path, ".")); show(v) != show(want) {
				t.Errorf("%s: %s: got %s, want %s", test.name, path, show(v), show(want))
			}
		}
		if err := CheckUpdate(test.kind, old, got); err != nil && test.name != "az sig image-definition update" {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name, body, want string
		code             fault.Code
		target           string
	}{
		{"coerced", `{"location":"a","properties":{"osType":"linux","recommended":{"vCPUs":{"min":"1","max":4}},"endOfLifeDate":"2030-01-01"}}`,
			`{"location":"a","properties":{"endOfLifeDate":"2030-01-01T00:00:00.0000000+00:00","osType":"Linux","recommended":{"vCPUs":{"max":4,"min":1}}}}`, "", ""},
		{"unknown, read-only and null are dropped", `{"id":"x","unheard":1,"tags":null,"properties":{"provisioningState":"Failed","identifier":null}}`, `{"properties":{}}`, "", ""},
		{"no object", `[]`, "", fault.InvalidRequestContent, ""},
		{"cut", `{"location":`, "", fault.InvalidRequestContent, ""},
		{"two values", `{}{}`, "", fault.InvalidRequestContent, ""},
		{"deep", strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30), "", fault.InvalidRequestContent, ""},
		{"not UTF-8", "{\"location\":\"\xff\"}", "", fault.InvalidRequestContent, ""},
		{"wrong type", `{"properties":{"osType":7}}`, "", fault.InvalidRequestContent, "galleryImage.properties.osType"},
		{"unknown value", `{"properties":{"osType":"BeOS"}}`, "", fault.InvalidParameter, "galleryImage.properties.osType"},
		{"a fraction", `{"properties":{"recommended":{"memory":{"min":1.5}}}}`, "", fault.InvalidRequestContent, "galleryImage.properties.recommended.memory.min"},
		{"a date that is none", `{"properties":{"endOfLifeDate":"soon"}}`, "", fault.InvalidRequestContent, "galleryImage.properties.endOfLifeDate"},
		{"too long", `{"properties":{"description":"` + strings.Repeat("x", 5000) + `"}}`, "", fault.InvalidParameter, "galleryImage.properties.description"},
		{"twice", `{"properties":{"features":[{"name":"a","value":"1"},{"name":"A","value":"2"}]}}`, "", fault.InvalidParameter, "galleryImage.properties.features"},
		{"a tag that is no text", `{"tags":{"a":1}}`, "", fault.InvalidRequestContent, "galleryImage.tags.a"},
	} {
		got, err := Decode(Image, newest, []byte(test.body))
		if test.code == "" {
			if err != nil || show(got) != test.want {
				t.Errorf("%s: got %s, %v; want %s", test.name, show(got), err, test.want)
			}
			continue
		}
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != test.code || f.Target != test.target {
			t.Errorf("%s: got %v, want %s at %q", test.name, err, test.code, test.target)
		}
	}
}

func TestCreate(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   Kind
		body   string
		code   fault.Code
		target string
	}{
		{"no location", Gallery, `{}`, fault.LocationRequired, "location"},
		{"no OS type", Image, `{"location":"a","properties":{"osState":"Generalized","identifier":{"publisher":"p","offer":"o","sku":"s"}}}`, fault.InvalidParameter, "galleryImage.properties.osType"},
		{"half an identifier", Image, `{"location":"a","properties":{"osType":"Linux","osState":"Generalized","identifier":{"publisher":"p"}}}`, fault.InvalidParameter, "galleryImage.properties.identifier.offer"},
		{"no source", ImageVersion, `{"location":"a","properties":{"storageProfile":{"osDiskImage":{}}}}`, fault.InvalidParameter, "galleryImageVersion.properties.storageProfile"},
		{"two sources", ImageVersion, `{"location":"a","properties":{"storageProfile":{"source":{"id":"x"},"osDiskImage":{"source":{"id":"y"}}}}}`, fault.InvalidParameter, "galleryImageVersion.properties.storageProfile"},
		{"a type and a strategy of storage", ImageVersion, `{"location":"a","properties":{"publishingProfile":{"storageAccountType":"Premium_LRS","storageAccountStrategy":"PreferStandard_ZRS"},"storageProfile":{"source":{"id":"x"}}}}`,
			fault.InvalidParameter, "galleryImageVersion.properties.publishingProfile.storageAccountStrategy"},
		{"no package", ApplicationVersion, `{"location":"a","properties":{"publishingProfile":{"manageActions":{"install":"i","remove":"r"}}}}`, fault.InvalidParameter, "galleryApplicationVersion.properties.publishingProfile.source"},
	} {
		in, err := Decode(test.kind, newest, []byte(test.body))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var f *fault.Fault
		if err := CheckCreate(test.kind, newest, in); !errors.As(err, &f) || f.Code != test.code || f.Target != test.target {
			t.Errorf("%s: got %v, want %s at %q", test.name, err, test.code, test.target)
		}
	}
	for version, want := range map[Version]string{"2024-03-03": "V1", "2025-03-03": "V2"} {
		in, err := Decode(Image, version, []byte(`{"location":"a","properties":{"osType":"Linux","osState":"Generalized","identifier":{"publisher":"p","offer":"o","sku":"s"}}}`))
		if err == nil {
			err = CheckCreate(Image, version, in)
		}
		if got := get(in, []string{"properties", "hyperVGeneration"}); err != nil || got != want {
			t.Errorf("%s: got generation %v, %v; want %s", version, got, err, want)
		}
	}
	for _, test := range []struct {
		name, given, want string
		version           Version
	}{
		{"an older client", ``, `null`, "2024-03-03"},
		{"nothing said", ``, `[{"name":"SecurityType","value":"TrustedLaunchSupported"}]`, "2025-03-03"},
		{"the first generation", `,"hyperVGeneration":"V1"`, `null`, "2025-12-03"},
		{"another feature", `,"features":[{"name":"IsHibernateSupported","value":"True"}]`,
			`[{"name":"IsHibernateSupported","value":"True"},{"name":"SecurityType","value":"TrustedLaunchSupported"}]`, "2025-12-03"},
		{"said", `,"features":[{"name":"securityType","value":"Standard"}]`, `[{"name":"securityType","value":"Standard"}]`, "2025-12-03"},
	} {
		in, err := Decode(Image, test.version, []byte(`{"location":"a","properties":{"osType":"Linux","osState":"Generalized","identifier":{"publisher":"p","offer":"o","sku":"s"}`+test.given+`}}`))
		if err == nil {
			err = CheckCreate(Image, test.version, in)
		}
		if got := show(get(in, []string{"properties", "features"})); err != nil || got != test.want {
			t.Errorf("%s: features %s, %v; want %s", test.name, got, err, test.want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for s, code := range map[string]fault.Code{"2025-12-03": "", "2015-01-01": "", "2018-01-01-preview": "", "": fault.MissingAPIVersion, "yesterday": fault.InvalidAPIVersion,
		"2025-13-03": fault.InvalidAPIVersion, "2025-12-03-x": fault.InvalidAPIVersion} {
		_, err := ParseVersion(s)
		if code == "" && err != nil || code != "" && !errors.Is(err, fault.New(code, "")) {
			t.Errorf("%q: got %v, want %q", s, err, code)
		}
	}
}

func fuzzKind(n byte) Kind {
	return []Kind{ResourceGroup, Gallery, Image, ImageVersion, Application, ApplicationVersion, Snapshot}[int(n)%7]
}

func FuzzDecode(f *testing.F) {
	f.Add(byte(2), []byte(`{"location":"a","properties":{"osType":"linux","features":[{"name":"a","value":"b"}],"recommended":{"vCPUs":{"min":"1"}}}}`))
	f.Add(byte(3), []byte(`{"properties":{"publishingProfile":{"targetRegions":[{"name":"a","regionalReplicaCount":"2","regionalExcludeFromLatest":true}],"endOfLifeDate":"2030-01-01"}}}`))
	f.Add(byte(6), []byte(`{"sku":{"name":"x"},"properties":{"creationData":{"createOption":"import"},"encryption":{"a":[1,2.5,null]}}}`))
	f.Fuzz(func(t *testing.T, n byte, body []byte) {
		k := fuzzKind(n)
		got, err := Decode(k, newest, body)
		if err != nil {
			var fault *fault.Fault
			if !errors.As(err, &fault) || len(fault.Details) > maxFaults {
				t.Fatalf("%v is no bounded fault", err)
			}
			return
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(k, newest, b)
		if err != nil {
			t.Fatalf("what was decoded is refused: %v\n%s", err, b)
		}
		if show(again) != show(got) {
			t.Fatalf("decoded twice: %s\nonce: %s", show(again), show(got))
		}
	})
}

func FuzzMerge(f *testing.F) {
	f.Add(byte(3), []byte(`{"properties":{"publishingProfile":{"targetRegions":[{"name":"a","storageAccountType":"Premium_LRS"}]}}}`), []byte(`{"properties":{"publishingProfile":{"targetRegions":[{"name":"a"}]}}}`))
	f.Add(byte(1), []byte(`{"tags":{"a":"b"}}`), []byte(`{"properties":{"description":"d"}}`))
	f.Fuzz(func(t *testing.T, n byte, before, now []byte) {
		k := fuzzKind(n)
		old, err := Decode(k, newest, before)
		if err != nil {
			return
		}
		in, err := Decode(k, newest, now)
		if err != nil {
			return
		}
		if got := Merge(k, newest, old, Tree{}, http.MethodPatch); show(got) != show(old) {
			t.Fatalf("an empty PATCH changes:\n%s\n%s", show(old), show(got))
		}
		if got := Merge(k, newest, old, old, http.MethodPatch); show(got) != show(old) {
			t.Fatalf("a PATCH with itself changes:\n%s\n%s", show(old), show(got))
		}
		for _, method := range []string{http.MethodPut, http.MethodPatch} {
			once := Merge(k, newest, old, in, method)
			if twice := Merge(k, newest, once, in, method); show(twice) != show(once) {
				t.Fatalf("%s twice:\n%s\n%s", method, show(once), show(twice))
			}
		}
	})
}
