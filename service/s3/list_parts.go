package s3

import (
	"encoding/xml"
	"strconv"

	"outcrop.dev/outcrop/data/blob"
)

type listPartsResult struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Xmlns                string   `xml:"xmlns,attr"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	Initiator            xmlOwner
	Owner                xmlOwner
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string    `xml:",omitempty"`
	ChecksumType         string    `xml:",omitempty"`
	Parts                []xmlPart `xml:"Part"`
}

type xmlPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	xmlChecksum
}

func (c *call) listParts() error {
	max, err := c.maxItems("max-parts")
	if err != nil {
		return err
	}
	marker := 0
	if v := c.query.Get("part-number-marker"); v != "" {
		if marker, err = strconv.Atoi(v); err != nil || marker < 0 {
			return errInvalidArgument("partNumberMarker", v, "Provided "+v+" not an integer or within integer range")
		}
	}
	u, parts, err := c.store.ListParts(c.ctx, c.bucket, c.key, c.query.Get("uploadId"), marker, max+1)
	if err != nil {
		return err
	}
	out := listPartsResult{
		Xmlns: ns, Bucket: c.bucket, Key: c.key, UploadID: u.ID, Initiator: c.owner(), Owner: c.owner(), StorageClass: "STANDARD",
		PartNumberMarker: marker, MaxParts: max, IsTruncated: len(parts) > max,
		ChecksumAlgorithm: string(u.Checksum.Algorithm), ChecksumType: string(u.Checksum.Type),
	}
	for _, p := range parts[:min(len(parts), max)] {
		out.NextPartNumberMarker = p.Number
		p.Checksum.Type = ""
		if u.Checksum.Algorithm == "" {
			p.Checksum = blob.Checksum{} // nobody asked for it
		}
		out.Parts = append(out.Parts, xmlPart{p.Number, xmlTime(p.Modified), quote(p.ETag), p.Size, checksumElements(p.Checksum)})
	}
	return c.xml(out)
}
