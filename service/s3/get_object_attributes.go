package s3

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"outcrop.dev/outcrop/data/blob"
)

type getObjectAttributesResponse struct {
	XMLName      xml.Name `xml:"GetObjectAttributesResponse"`
	Xmlns        string   `xml:"xmlns,attr"`
	ETag         string   `xml:",omitempty"`
	Checksum     *xmlChecksum
	ObjectParts  *xmlObjectParts
	StorageClass string `xml:",omitempty"`
	ObjectSize   *int64
}

type xmlObjectParts struct {
	PartsCount           int
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	Parts                []xmlObjectPart `xml:"Part"`
}

type xmlObjectPart struct {
	PartNumber int
	Size       int64
	xmlChecksum
}

func (c *call) getObjectAttributes() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, v := range c.r.Header.Values("X-Amz-Object-Attributes") {
		for name := range strings.SplitSeq(v, ",") {
			name = strings.TrimSpace(name)
			switch name {
			case "":
			case "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize":
				wanted[name] = true
			default:
				return errInvalidArgument("x-amz-object-attributes", name, "Invalid attribute name specified.")
			}
		}
	}
	if len(wanted) == 0 {
		return errInvalidRequest("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	o, err := c.store.Head(c.ctx, c.bucket, c.key)
	if err != nil {
		return err
	}
	out := getObjectAttributesResponse{Xmlns: ns}
	if wanted["ETag"] {
		out.ETag = o.ETag
	}
	if wanted["Checksum"] && o.Checksum.Value != "" {
		x := checksumElements(o.Checksum)
		out.Checksum = &x
	}
	if wanted["StorageClass"] {
		out.StorageClass = "STANDARD"
	}
	if wanted["ObjectSize"] {
		out.ObjectSize = &o.Size
	}
	if wanted["ObjectParts"] && o.Parts > 0 {
		if out.ObjectParts, err = c.objectParts(o); err != nil {
			return err
		}
	}
	c.w.Header().Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	return c.xml(out)
}

// objectParts lists the parts; S3 lists them one by one only if they have checksums.
func (c *call) objectParts(o blob.Object) (*xmlObjectParts, error) {
	marker, err := c.numberHeader("X-Amz-Part-Number-Marker", 0)
	if err != nil {
		return nil, err
	}
	max, err := c.numberHeader("X-Amz-Max-Parts", listMax)
	if err != nil {
		return nil, err
	}
	max = min(max, listMax)
	parts, err := c.store.ListObjectParts(c.ctx, o, marker, max+1)
	if err != nil {
		return nil, err
	}
	out := &xmlObjectParts{PartsCount: o.Parts, PartNumberMarker: marker, MaxParts: max, IsTruncated: len(parts) > max}
	for _, p := range parts[:min(len(parts), max)] {
		out.NextPartNumberMarker = p.Number
		p.Checksum.Type = ""
		out.Parts = append(out.Parts, xmlObjectPart{p.Number, p.Size, checksumElements(p.Checksum)})
	}
	return out, nil
}

func (c *call) numberHeader(name string, missing int) (int, error) {
	v := c.header(name)
	if v == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		return 0, errInvalidArgument(strings.ToLower(name), v, "Provided "+strings.ToLower(name)+" not an integer or within integer range")
	}
	return int(n), nil
}
