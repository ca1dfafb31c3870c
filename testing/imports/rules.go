package imports

import "strings"

// layers are the top-level rooms from the outside in. A room imports only rooms that stand below
// it; rooms of one line do not know each other.
var layers = [][]string{
	{"cmd"},        // flags, signals, exit codes
	{"node"},       // assembly: the only place that knows all the parts
	{"api"},        // surfaces: they ask for what they need through interfaces
	{"web"},        // the embedded page
	{"cluster"},    // carries commands; what they mean is below
	{"fsm"},        // what the log means
	{"transfer"},   // large content between two stores
	{"blobstore"},  // objects of one store
	{"gallery"},    // words and rules of the domain
	{"diskformat"}, // guest bytes of disk files
	{"internal"},   // leaves that know nothing of Loggia
}

// owner is a library that few rooms may import.
type owner struct {
	library string
	rooms   []string
	reason  string
}

// owners lists libraries with the rooms (and all below them) that may import them.
var owners = []owner{
	{"github.com/hashicorp/raft", []string{"cluster/consensus"}, "its traps are handled in one place"},
	{"github.com/hashicorp/raft-boltdb/v2", []string{"cluster/consensus"}, "it is used only behind our checking decorator"},
	{"go.etcd.io/bbolt", []string{"cluster/consensus"}, "it is the log's file, pinned with raft-boltdb"},
	{"github.com/hashicorp/memberlist", []string{"cluster/gossip"}, "gossip is a hint: no other room may decide by it"},
	{"github.com/minio/minio-go/v7", []string{"blobstore/s3"}, "its defaults (retries, checksums, unknown sizes) are not ours"},
	{"github.com/klauspost/compress", []string{"transfer/codec"}, "codecs have ids in our formats, and limits on output"},
	{"github.com/hashicorp/go-memdb", []string{"fsm/state"}, "rows belong to the state: they are read through its views"},
	{"github.com/fxamacker/cbor/v2", []string{"fsm"}, "one encoding of commands and snapshots, with one set of limits"},
	{"github.com/go-jose/go-jose/v4", []string{"node/tokens"}, "whoever can make it accept a forged token is the operator: one place holds its algorithms and keys"},
	{"golang.org/x/oauth2", []string{"api/login"}, "a person logs in at one place of the client"},
	{"github.com/spf13/cobra", []string{"cmd/loggia"}, "flags end at the command"},
	{"golang.org/x/term", []string{"cmd/loggia"}, "only a command knows of terminals"},
	{"go.yaml.in/yaml/v3", []string{"node/config", "cmd/loggia"}, "files are read by the configuration and printed by the command"},
}

// ban keeps packages out of rooms. It holds for what the rooms import of ours, too, where deep is set.
type ban struct {
	rooms    []string
	packages []string // each with all below it
	deep     bool
	reason   string
}

// world is what a pure function has no business with.
var world = []string{"net", "os", "syscall", "golang.org/x/sys", "math/rand", "crypto/rand", "github.com/google/uuid", "log"}

var bans = []ban{
	{[]string{"fsm"}, world, true, "the same bytes at the same index give the same state: no network, disk, randomness or environment"},
	{[]string{"gallery"}, world, true, "rules are pure: they run in apply"},
	{[]string{"fsm"}, []string{"loggia/transfer", "loggia/blobstore", "loggia/diskformat"}, true, "the machine knows names and digests of content, not content"},
	{[]string{"transfer"}, []string{"loggia/gallery"}, true, "content has no names: it moves between stores without knowing whose it is"},
	{[]string{"blobstore"}, []string{"loggia/gallery", "loggia/diskformat"}, true, "a store holds objects by key and knows nothing of what they mean"},
	{[]string{"api"}, []string{"loggia/fsm", "loggia/cluster", "loggia/blobstore", "loggia/diskformat"}, false, "handlers decode, ask one use case through an interface, and encode"},
	{[]string{"diskformat"}, []string{"net", "os/exec"}, true, "images are hostile: only our bounded parsers look at them"},
}

// tests are the rooms that are never shipped. So are helpers of one package, which stand beside it
// and are called after it: storetest, servetest.
var tests = []string{"testing", "scripts"}

// forTests says whether a room is never shipped.
func forTests(room string) bool {
	return in(room, tests) || strings.HasSuffix(room, "test")
}

// testOnly are other packages that shipped code never imports.
var testOnly = []string{"testing", "net/http/httptest", "github.com/google/go-cmp"}

// nameless are names that say nothing, of packages and files.
var nameless = []string{"util", "utils", "common", "helper", "helpers", "misc"}

// taken are further names that no package has: they say nothing, or every reader thinks of another.
var taken = []string{"types", "errors", "testing"}
