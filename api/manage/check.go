package manage

import (
	"fmt"

	"loggia/api/v1"
	"loggia/gallery"
)

// somebody stands for ids that a client need not know.
const somebody = "00000000-0000-4000-8000-000000000000"

// Check holds a version that is about to be made against every rule that needs no other row; of its disks only the LUNs
// count. A client asks before it sends disks: what passes may still be refused, what is refused here would be.
func Check(v v1.Version) error {
	number, err := gallery.ParseVersion(v.Name)
	if err != nil {
		return err
	}
	row := fromVersion(number, v)
	row.ResourceGroup, row.Location = gallery.DefaultGroup, gallery.NormalizeRegion(v.Location)
	if row.Ref.ImageRef, err = gallery.ParseImageRef(somebody, v.Gallery+"/"+v.Image); err != nil {
		return err
	}
	for i := range row.Publishing.TargetRegions {
		t := &row.Publishing.TargetRegions[i]
		t.Region = gallery.NormalizeRegion(string(t.Region))
	}
	for i := range row.Disks {
		row.Disks[i].Disk = gallery.DiskID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	return row.Validate()
}

// CheckImage is Check for a definition, which has its location from its gallery where it names none.
func CheckImage(i v1.Image) error {
	row := fromImage(i.Name, i)
	row.ResourceGroup, row.Location = gallery.DefaultGroup, gallery.NormalizeRegion(i.Location)
	if row.Location == "" {
		row.Location = "anywhere"
	}
	var err error
	if row.Ref, err = gallery.ParseImageRef(somebody, i.Gallery+"/"+i.Name); err != nil {
		return err
	}
	return row.Validate()
}
