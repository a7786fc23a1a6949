package s3

import (
	"encoding/xml"

	"outcrop.dev/outcrop/data/blob"
)

type listMultipartUploadsResult struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Xmlns              string   `xml:"xmlns,attr"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string
	NextUploadIDMarker string `xml:"NextUploadIdMarker"`
	Delimiter          string `xml:",omitempty"`
	Prefix             string
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []xmlUpload `xml:"Upload"`
	Prefixes           []xmlPrefix `xml:"CommonPrefixes"`
}

type xmlUpload struct {
	Key               string
	UploadID          string `xml:"UploadId"`
	Initiator         xmlOwner
	Owner             xmlOwner
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func (c *call) listMultipartUploads() error {
	q := blob.UploadQuery{
		Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter"),
		AfterKey: c.query.Get("key-marker"), AfterID: c.query.Get("upload-id-marker"),
	}
	var err error
	if q.Max, err = c.maxItems("max-uploads"); err != nil {
		return err
	}
	encoding, encode, err := c.urlEncoding()
	if err != nil {
		return err
	}
	if q.AfterKey == "" {
		q.AfterID = "" // S3 ignores it then
	}
	page, err := c.store.ListUploads(c.ctx, c.bucket, q)
	if err != nil {
		return err
	}
	out := listMultipartUploadsResult{
		Xmlns: ns, Bucket: c.bucket, KeyMarker: encode(q.AfterKey), UploadIDMarker: q.AfterID, Delimiter: encode(q.Delimiter),
		Prefix: encode(q.Prefix), EncodingType: encoding, MaxUploads: q.Max, IsTruncated: page.Truncated,
	}
	if page.Truncated {
		out.NextKeyMarker, out.NextUploadIDMarker = encode(page.LastKey), page.LastID
	}
	for _, u := range page.Uploads {
		out.Uploads = append(out.Uploads, xmlUpload{
			encode(u.Key), u.ID, c.owner(), c.owner(), "STANDARD", xmlTime(u.Started), string(u.Checksum.Algorithm), string(u.Checksum.Type),
		})
	}
	for _, p := range page.Prefixes {
		out.Prefixes = append(out.Prefixes, xmlPrefix{encode(p)})
	}
	return c.xml(out)
}
