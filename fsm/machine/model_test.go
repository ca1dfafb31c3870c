package machine_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/fsm/state"
	"loggia/gallery"
)

// seed prints the seed of a random test, LOGGIA_SEED where it is set.
func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	if text := os.Getenv("LOGGIA_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("LOGGIA_SEED: %v", err)
		}
		s = n
	}
	t.Logf("LOGGIA_SEED=%d", s)
	return s
}

var modelRegions = []gallery.RegionName{"a", "b", "c", "d"}

// chaos sends random commands, most of them sensible, and checks after each what must always hold.
type chaos struct {
	*rig
	rnd     *rand.Rand
	disks   int
	uploads int
	old     []command.ReplicaComplete // completions whose claim has ended
	done    map[command.Kind]int      // accepted, by kind

	operations, imports, tokens int // how many were begun
}

func TestRandomCommands(t *testing.T) {
	s := seed(t)
	all := map[command.Kind]int{}
	for round := range uint64(4) {
		c := &chaos{rig: newRig(t), rnd: rand.New(rand.NewPCG(s, round)), done: map[command.Kind]int{}}
		c.found(modelRegions...)
		c.group(rg)
		for range 3000 {
			c.step()
		}
		c.same()
		for k, n := range c.done {
			all[k] += n
		}
	}
	for _, k := range []command.Kind{command.KindVersionPut, command.KindVersionDelete, command.KindReplicaComplete, command.KindReplicaFail,
		command.KindExpireClaims, command.KindReplicaMarkLost, command.KindStoreRemove, command.KindUploadComplete,
		command.KindRepositoryClaim, command.KindRepositoryRelease, command.KindRepositoryCompact, command.KindRepositoryCondemn,
		command.KindRepositorySweep, command.KindRepositorySwept, command.KindRepositoryChecked, command.KindRepositoryAsk, command.KindClusterSetCollection,
		command.KindSnapshotPut, command.KindSnapshotDelete, command.KindSnapshotComplete, command.KindSnapshotFail, command.KindVersionImported,
		command.KindVersionImportFailed, command.KindExpireOperations, command.KindGroupDelete, command.KindSnapshotGrant,
		command.KindPrincipalPut, command.KindPrincipalDelete, command.KindAssignmentPut, command.KindAssignmentDelete, command.KindPrincipalSetMember,
		command.KindLimitPut, command.KindLimitRemove, command.KindTransferPause, command.KindTransferResume,
		command.KindDistancePut, command.KindDistanceRemove} {
		if all[k] == 0 {
			t.Errorf("never did %s", k)
		}
	}
}

func (c *chaos) step() {
	before := c.m.View()
	cmd := c.choose()
	if cmd == nil {
		return
	}
	c.now = c.now.Add(time.Duration(c.rnd.IntN(int(lease / 4))))
	res := c.send(c.header(), cmd)
	after := c.m.View()
	if res.Err != nil {
		if before.Meta().Sum != after.Meta().Sum {
			c.t.Fatalf("entry %d: %s was refused (%v) and changed the state", c.index, cmd.Kind(), res.Err)
		}
		return
	}
	c.done[cmd.Kind()]++
	if stale, ok := cmd.(*command.ReplicaComplete); ok && slices.ContainsFunc(c.old, func(o command.ReplicaComplete) bool { return o.Epoch == stale.Epoch }) {
		c.t.Fatalf("entry %d: a completion of the ended claim %d was accepted", c.index, stale.Epoch)
	}
	c.remember(before, after)
	c.check(before, after, cmd)
	if c.rnd.IntN(200) == 0 {
		c.same()
	}
}

// remember keeps completions that the ended claims would have sent.
func (c *chaos) remember(before, after *state.View) {
	for _, r := range before.ClaimedReplicas() {
		if after.ReplicaByEpoch(r.Claim.Epoch) == nil {
			c.old = append(c.old, command.ReplicaComplete{Replica: r.Key, Epoch: r.Claim.Epoch,
				RepositoryEpoch: after.Repository(r.Repository()).Epoch, Root: root(c.number(r.Key.Disk)), Table: root(0)})
		}
	}
}

// number is the n of disk(n).
func (c *chaos) number(d gallery.DiskID) int {
	n, err := strconv.ParseInt(string(d[24:]), 16, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return int(n)
}

func pick[T any](c *chaos, from []T) (T, bool) {
	if len(from) == 0 {
		var none T
		return none, false
	}
	return from[c.rnd.IntN(len(from))], true
}

func (c *chaos) choose() command.Command {
	v := c.m.View()
	if c.rnd.IntN(4) == 0 {
		return c.chooseResource(v)
	}
	if c.rnd.IntN(6) == 0 {
		return c.chooseRepository(v)
	}
	n := c.rnd.IntN(100)
	switch {
	case n < 8:
		at := 1 + c.rnd.IntN(len(modelRegions))
		c.uploads++
		return &command.UploadOpen{ID: upload(c.uploads), Domain: gallery.DomainOf(tenant), Region: modelRegions[at-1], Store: c.storeIn(at), Node: node(at),
			Content: []gallery.ContentKind{gallery.ContentDisk, gallery.ContentDisk, gallery.ContentBlob}[c.rnd.IntN(3)], Size: 1 << 20, Lease: lease, Life: life}
	case n < 16:
		return c.chooseUpload(v)
	case n < 30:
		return c.chooseVersion(v)
	case n < 35:
		if old, ok := pick(c, v.Versions(versionRef(0).ImageRef)); ok {
			return &command.VersionDelete{Ref: old.Ref}
		}
	case n < 85:
		return c.chooseReplica(v)
	case n < 86:
		return &command.ExpireClaims{}
	case n < 88:
		return c.chooseSteering(v)
	case n < 90:
		return &command.ExpireUploads{}
	case n < 94:
		if s, ok := pick(c, v.Stores("")); ok {
			return &command.StoreRemove{ID: s.ID, Lost: c.rnd.IntN(2) == 0}
		}
	default:
		at := 1 + c.rnd.IntN(len(modelRegions))
		c.disks++
		return &command.StorePut{Store: gallery.Store{ID: store(100 + c.disks), Region: modelRegions[at-1], Name: strconv.Itoa(c.rnd.IntN(3)),
			Zone: strconv.Itoa(c.rnd.IntN(4)), Class: gallery.ClassStandard, Kind: gallery.KindS3}}
	}
	return nil
}

func (c *chaos) storeIn(at int) gallery.StoreID {
	if s, ok := pick(c, c.m.View().Stores(modelRegions[at-1])); ok {
		return s.ID
	}
	return store(at)
}

func (c *chaos) chooseUpload(v *state.View) command.Command {
	u, ok := pick(c, v.Uploads())
	if !ok {
		return nil
	}
	at := c.rnd.IntN(len(modelRegions)) + 1
	switch c.rnd.IntN(8) {
	case 0:
		return &command.UploadReopen{ID: u.ID, Node: node(at), Lease: lease}
	case 1:
		return &command.UploadAbandon{ID: u.ID, Epoch: u.Claim.Epoch}
	}
	c.disks++
	e := u.Claim.Epoch
	return &command.UploadComplete{ID: u.ID, Epoch: e, RepositoryEpoch: v.Repository(u.Repository()).Epoch, Disk: disk(c.disks),
		Root: root(c.disks), Table: root(c.disks), Stored: 100, Add: []gallery.Segment{segment(e, c.disks)}}
}

func (c *chaos) chooseVersion(v *state.View) command.Command {
	d, ok := pick(c, v.Disks())
	if !ok {
		return nil
	}
	row := version(c.rnd.IntN(12), d.ID, d.Origin)
	if old := v.Version(row.Ref); old != nil {
		row = *old
		row.Publishing.TargetRegions = nil
	}
	row.Safety.AllowDeletionOfReplicatedLocations = c.rnd.IntN(3) > 0
	for _, at := range modelRegions {
		if at == row.Location || c.rnd.IntN(2) == 0 {
			t := gallery.TargetRegion{Region: at, ReplicaCount: 1 + c.rnd.IntN(2),
				Priority: []gallery.Priority{"", gallery.PriorityLow, gallery.PriorityNormal, gallery.PriorityHigh}[c.rnd.IntN(4)]}
			if c.rnd.IntN(8) == 0 {
				t.StorageClass = gallery.StandardZRS
			}
			row.Publishing.TargetRegions = append(row.Publishing.TargetRegions, t)
		}
	}
	return &command.VersionPut{Version: row}
}

func (c *chaos) chooseReplica(v *state.View) command.Command {
	at := c.rnd.IntN(len(modelRegions)) + 1
	r, ok := pick(c, v.ReplicasOfRegion(modelRegions[at-1]))
	if !ok {
		return nil
	}
	if r.Claim == nil {
		if r.Whole() && c.rnd.IntN(20) == 0 {
			return &command.ReplicaMarkLost{Replica: r.Key, Reason: gallery.ReasonDamaged, Spare: c.rnd.IntN(2) == 0}
		}
		return &command.ReplicaClaim{Replica: r.Key, Node: node(at), Lease: lease}
	}
	e := r.Claim.Epoch
	switch c.rnd.IntN(10) {
	case 0:
		return &command.ReplicaClaim{Replica: r.Key, Node: node(at), Lease: lease}
	case 1:
		return &command.ReplicaFail{Replica: r.Key, Epoch: e, Reason: gallery.ReasonUnreachable, Error: "no answer"}
	case 2:
		return &command.ReplicaRelease{Replica: r.Key, Epoch: e}
	case 3, 4:
		n := c.rnd.Int64N(100)
		return &command.ReplicaCheckpoint{Node: node(at), Lease: lease, Claims: []command.ClaimProgress{{Epoch: e, Progress: gallery.Progress{Total: 100, Sent: n, Left: 100 - n}}}}
	case 5:
		// The worker of an earlier claim on the same replica reports late.
		if i := slices.IndexFunc(c.old, func(o command.ReplicaComplete) bool { return o.Replica == r.Key }); i >= 0 {
			o := c.old[i]
			o.RepositoryEpoch = v.Repository(r.Repository()).Epoch
			return &o
		}
	}
	n := c.number(r.Key.Disk)
	return &command.ReplicaComplete{Replica: r.Key, Epoch: e, RepositoryEpoch: v.Repository(r.Repository()).Epoch, Root: root(n), Table: root(n),
		Add: []gallery.Segment{segment(e, int(e))}}
}

// chooseSteering changes a limit or a distance, or pauses or resumes a version.
func (c *chaos) chooseSteering(v *state.View) command.Command {
	region := func() gallery.RegionName { return modelRegions[c.rnd.IntN(len(modelRegions))] }
	k := gallery.LimitKey{From: region()}
	if to := region(); to != k.From {
		k.To = to
	}
	ref := versionRef(c.rnd.IntN(12))
	var only []gallery.RegionName
	if c.rnd.IntN(2) == 0 {
		only = append(only, region())
	}
	far := gallery.PairOf(k.From, k.To)
	if k.To == "" { // one region was picked twice
		far = gallery.PairOf(modelRegions[0], modelRegions[1])
	}
	switch c.rnd.IntN(7) {
	case 5:
		return &command.DistancePut{Distance: gallery.Distance{Pair: far, Distance: 1 + c.rnd.Uint32N(9)}}
	case 6:
		if d, ok := pick(c, v.Distances()); ok && c.rnd.IntN(2) == 0 {
			far = d.Pair
		}
		return &command.DistanceRemove{Pair: far}
	case 0: // one that there is, every other time: of so few commands none would meet one by chance
		if l, ok := pick(c, v.Limits()); ok && c.rnd.IntN(2) == 0 {
			k = l.Key
		}
		return &command.LimitRemove{Key: k}
	case 1:
		return &command.LimitPut{Limit: gallery.Limit{Key: k, Rate: gallery.MinRate + gallery.Rate(c.rnd.IntN(1000))}}
	case 2:
		return &command.TransferPause{Version: ref, Regions: only}
	}
	return &command.TransferResume{Version: ref, Regions: only}
}

func (c *chaos) chooseRepository(v *state.View) command.Command {
	var all []*gallery.Repository
	for _, s := range v.Stores("") {
		all = append(all, v.RepositoriesOfStore(s.ID)...)
	}
	r, ok := pick(c, all)
	if begun := v.ClaimedRepositories(); len(begun) > 0 && c.rnd.IntN(4) > 0 {
		r, ok = pick(c, begun)
	}
	if !ok {
		return nil
	}
	s := v.Store(r.Key.Store)
	if r.Claim == nil || c.rnd.IntN(20) == 0 {
		at := c.rnd.IntN(len(modelRegions)) + 1
		return &command.RepositoryClaim{Repository: r.Key, Node: node(at), Lease: lease, Checking: c.rnd.IntN(3) == 0}
	}
	switch claim := r.Claim.Epoch; c.rnd.IntN(16) {
	case 0:
		return &command.RepositoryRelease{Repository: r.Key, Claim: claim, Report: &gallery.Collection{State: gallery.CollectionStopped}}
	case 1:
		return &command.RepositoryAsk{Region: s.Region, Store: s.ID}
	case 2, 3, 4:
		if len(r.Segments) > 1 {
			return &command.RepositoryCompact{Repository: r.Key, Epoch: r.Epoch, Claim: claim, Add: []gallery.Segment{segment(1, int(c.index))},
				Remove: []digestID{r.Segments[0].ID, r.Segments[1].ID}}
		}
	case 6:
		return &command.RepositoryChecked{Repository: r.Key, Claim: claim, Wrapped: c.rnd.IntN(2) == 0,
			Turn: gallery.Check{Cursor: c.rnd.Uint32(), Damaged: []digestID{root(1)}, Repaired: 1}}
	case 5:
		return &command.ClusterSetCollection{Off: !v.Cluster().CollectionOff && c.rnd.IntN(3) == 0}
	}
	if r.Condemned == nil {
		marked := c.index
		if c.rnd.IntN(3) == 0 { // a mark from before
			marked = c.rnd.Uint64N(c.index) + 1
		}
		return &command.RepositoryCondemn{Repository: r.Key, Epoch: r.Epoch, List: root(0), Claim: r.Claim.Epoch, Marked: marked, Began: marked}
	}
	if r.Condemned.Sweeping || c.rnd.IntN(5) == 0 {
		return &command.RepositorySwept{Repository: r.Key, Epoch: r.Epoch, Claim: r.Claim.Epoch}
	}
	return &command.RepositorySweep{Repository: r.Key, Claim: r.Claim.Epoch, Epoch: r.Epoch, Grace: lease / 2}
}

// same checks that a snapshot and the log give the same machine (M3, M7), and goes on with the restored one.
func (c *chaos) same() {
	image := c.snapshot()
	next := machine.New()
	if err := next.Restore(bytes.NewReader(image)); err != nil {
		c.t.Fatalf("entry %d: %v", c.index, err)
	}
	_, want := c.m.Hash()
	if _, got := next.Hash(); got != want {
		c.t.Fatalf("entry %d: the snapshot gives another state", c.index)
	}
	c.m = next
}
