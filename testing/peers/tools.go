package main

import (
	"slices"

	"loggia/testing/peers/bare"
)

// Rows that are no peers: nothing is held against them.
const (
	loggia  = "loggia"
	alone   = "bare"           // Loggia's engine without nodes: package bare
	checked = "bare-checked"   // the same where what is published is checked as a node does
	blind   = "blind"          // the same objects, read and written by one client that looks at none
	hashed  = "blind-hashed"   // the same, and what arrives is hashed
	beside  = "blind-hashed-b" // that by a client beside b, where a target is: it reads over the line
	relayed = "relayed"        // that over one more connection
	plain   = "relayed-file"   // the file as it is, by way of a node that hashes it
)

// parts are the rows that say what a part of the work takes; of copies are those that copy like nobody would.
var (
	parts  = []string{alone, checked, blind, hashed, beside, relayed, plain}
	copies = []string{blind, hashed, beside, relayed}
)

func isPeer(name string) bool {
	return name != loggia && !slices.Contains(parts, name)
}

// tool is a row of the table: what it is called, which programs it takes, and how it does each step.
//
// A script finds: $IMAGE the file of the image, $NAME its name (v1), $NUMBER its version, $OUT the file
// to write, $SEED an older image at hand, $WORK a folder of the tool's own, $BUCKET its bucket;
// $REPO_A and $REPO_B where restic keeps a repository, $CHUNKS_A and $CHUNKS_B where desync keeps
// chunks, $KOPIA_A and $KOPIA_B the words with which kopia names them; a: and b: are remotes of
// rclone. put, get and mirror move one object, or all objects from a to b, without any tool's help.
// $PEERS is this program.
type tool struct {
	Name     string
	programs []string // on the path, or in the folder of tools
	version  string   // script that prints it
	whole    bool     // copies whole files: v2 costs what v1 did, and is left out
	s3Only   bool
	at       string // region in whose network it copies; empty: a
	before   string
	steps    map[string]string
	perhaps  map[string]string // scripts that succeed where the tool at hand has the step
}

var allTools = []tool{
	{Name: loggia, version: `"$LOGGIA" --version`,
		perhaps: map[string]string{pullLinks: `"$LOGGIA" pull --help | grep -c -- --links`},
		steps: map[string]string{
			publish:   `"$LOGGIA" publish "$IMAGE" peers/image/$NUMBER --wait local`,
			replicate: `"$LOGGIA" version update peers/image/$NUMBER --regions a,b --wait all`,
			pull:      `"$LOGGIA" pull peers/image/$NUMBER -o "$OUT"`,
			pullSeed:  `"$LOGGIA" pull peers/image/$NUMBER -o "$OUT" --seed "$SEED"`,
			pullLinks: `"$LOGGIA" pull peers/image/$NUMBER -o "$OUT" --links`,
		}},
	{Name: alone, version: `echo "the engine as this program was built with it"`, s3Only: true,
		before: bareStep("prepare"),
		steps:  map[string]string{publish: bareStep("publish"), replicate: bareStep("replicate"), pull: bareStep("pull"), pullSeed: bareStep("pull")}},
	{Name: checked, version: `echo "the engine as this program was built with it"`, s3Only: true,
		before: bareStep("prepare"), steps: map[string]string{publish: bareStep("publish-checked")}},
	{Name: blind, version: `echo "the client of stores as this program was built with it"`, s3Only: true,
		before: bareStep("prepare"), steps: map[string]string{publish: bareStep("publish"), replicate: bareStep("blind")}},
	{Name: hashed, version: `echo "the client of stores as this program was built with it"`, s3Only: true,
		before: bareStep("prepare"), steps: map[string]string{publish: bareStep("publish"), replicate: bareStep("hashed")}},
	{Name: beside, version: `echo "the client of stores as this program was built with it"`, s3Only: true, at: regionB,
		before: bareStep("prepare"), steps: map[string]string{publish: bareStep("publish"), replicate: bareStep("hashed")}},
	{Name: relayed, version: `echo "the client of stores as this program was built with it"`, s3Only: true,
		before: bareStep("prepare"), steps: map[string]string{publish: bareStep("publish"), replicate: bareStep("relayed")}},
	{Name: plain, version: `echo "the client of stores as this program was built with it"`, s3Only: true, whole: true,
		before: bareStep("prepare"), steps: map[string]string{publish: bareStep("put")}},
	{Name: "zstd-pipe", programs: []string{"zstd"}, version: `zstd --version`,
		steps: map[string]string{
			publish:   `zstd -q -1 -T0 -c "$IMAGE" | put $NAME.zst`,
			replicate: `mirror`,
			pull:      `get $NAME.zst | zstd -q -d -f --sparse -o "$OUT"`,
			pullSeed:  `get $NAME.zst | zstd -q -d -f --sparse -o "$OUT"`,
		}},
	{Name: "kopia", programs: []string{"kopia"}, version: `kopia --version`,
		before: `
			kopia repository create $KOPIA_A --cache-directory "$WORK/cache"
			kopia policy set --global --compression=zstd-fastest --max-parallel-file-reads=2 --parallel-upload-above-size-mib=64`,
		steps: map[string]string{
			publish:   `kopia snapshot create "$IMAGE"`,
			replicate: `kopia repository sync-to $KOPIA_B --parallel 8`,
			pull:      `kopia restore --write-sparse-files "$IMAGE" "$OUT"`,
			pullSeed:  `kopia restore --write-sparse-files "$IMAGE" "$OUT"`,
		}},
	{Name: "restic", programs: []string{"restic"}, version: `restic version`,
		before: `
			restic -r $REPO_A init
			restic -r $REPO_B --from-repo $REPO_A init --copy-chunker-params`,
		steps: map[string]string{
			publish:   `restic -r $REPO_A backup -q "$IMAGE"`,
			replicate: `restic -r $REPO_B --from-repo $REPO_A copy -q`,
			pull:      `restic -r $REPO_A restore -q $(restic restore --help | grep -o -m 1 -- --sparse) latest --target "$(dirname "$OUT")"`,
			pullSeed:  `restic -r $REPO_A restore -q $(restic restore --help | grep -o -m 1 -- --sparse) latest --target "$(dirname "$OUT")"`,
		}},
	desync("desync", ""),
	desync("desync-256K", "-m 64:256:1024"),
	{Name: "mc", programs: []string{"mc"}, version: `mc --version | head -1`, whole: true, s3Only: true,
		steps: map[string]string{
			publish:   `mc cp -q "$IMAGE" a/$BUCKET/$NAME.raw`,
			replicate: `mc mirror -q a/$BUCKET b/$BUCKET`,
			pull:      `mc cp -q a/$BUCKET/$NAME.raw "$OUT"`,
		}},
	{Name: "rclone", programs: []string{"rclone"}, version: `rclone version | head -1`, whole: true,
		steps: map[string]string{
			publish:   `rclone copyto "$IMAGE" a:$BUCKET/$NAME.raw`,
			replicate: `rclone copy a:$BUCKET b:$BUCKET`,
			pull:      `rclone copyto a:$BUCKET/$NAME.raw "$OUT"`,
		}},
	{Name: "aws", programs: []string{"/usr/bin/aws"}, version: `/usr/bin/aws --version`, whole: true, s3Only: true,
		steps: map[string]string{
			publish: `/usr/bin/aws --endpoint-url $A s3 cp --only-show-errors "$IMAGE" s3://$BUCKET/$NAME.raw`,
			pull:    `/usr/bin/aws --endpoint-url $A s3 cp --only-show-errors s3://$BUCKET/$NAME.raw "$OUT"`,
		}},
	// casync has no S3 to write to: its chunks lie in a folder of the client.
	{Name: "casync-local", programs: []string{"casync"}, version: `casync --version | head -1`,
		steps: map[string]string{
			publish:  `casync make --store="$WORK/chunks.castr" "$WORK/$NAME.caibx" "$IMAGE"`,
			pull:     `casync extract --store="$WORK/chunks.castr" "$WORK/$NAME.caibx" "$OUT"`,
			pullSeed: `casync extract --store="$WORK/chunks.castr" --seed="$SEED" "$WORK/$NAME.caibx" "$OUT"`,
		}},
}

// desync is desync with a chunk size; its indexes stay with the client, who has v1's from its publish.
func desync(name, size string) tool {
	return tool{Name: name, programs: []string{"desync"}, version: `strings "$(command -v desync)" | grep -m 1 -oE 'folbricht/desync(@|[[:space:]])[^ ]*' || echo unknown`,
		steps: map[string]string{
			publish:   `desync make ` + size + ` -s $CHUNKS_A "$WORK/$NAME.caibx" "$IMAGE"`,
			replicate: `desync cache -s $CHUNKS_A -c $CHUNKS_B "$WORK/$NAME.caibx"`,
			pull:      `desync extract -s $CHUNKS_A "$WORK/$NAME.caibx" "$OUT"`,
			pullSeed:  `desync extract -s $CHUNKS_A --seed "$WORK/v1.caibx:$SEED" "$WORK/$NAME.caibx" "$OUT"`,
		}}
}

// bareStep is this program as package bare.
func bareStep(step string) string { return `"$PEERS" ` + bare.Arg + " " + step }

func toolNames() []string {
	names := make([]string, len(allTools))
	for i, t := range allTools {
		names[i] = t.Name
	}
	return names
}
