package s3

import "encoding/xml"

type listVersionsResult struct {
	XMLName         xml.Name `xml:"ListVersionsResult"`
	Xmlns           string   `xml:"xmlns,attr"`
	Name            string
	Prefix          string
	KeyMarker       string
	VersionIDMarker string `xml:"VersionIdMarker"`
	NextKeyMarker   string `xml:",omitempty"`
	NextVersionID   string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys         int
	Delimiter       string `xml:",omitempty"`
	EncodingType    string `xml:",omitempty"`
	IsTruncated     bool
	Versions        []xmlVersion `xml:"Version"`
	Prefixes        []xmlPrefix  `xml:"CommonPrefixes"`
}

type xmlVersion struct {
	VersionID string `xml:"VersionId"`
	IsLatest  bool
	xmlObject
}

// listObjectVersions lists the one version that each object has.
func (c *call) listObjectVersions() error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	marker := c.query.Get("key-marker")
	l.query.After = marker
	l.query.AfterPrefix = rolledUp(marker, l.query)
	page, err := c.store.ListObjects(c.ctx, c.bucket, l.query)
	if err != nil {
		return err
	}
	r := c.result(l, page, true)
	out := listVersionsResult{
		Xmlns: ns, Name: r.Name, Prefix: r.Prefix, KeyMarker: l.encode(marker), VersionIDMarker: c.query.Get("version-id-marker"),
		MaxKeys: r.MaxKeys, Delimiter: r.Delimiter, EncodingType: r.EncodingType, IsTruncated: r.IsTruncated, Prefixes: r.Prefixes,
	}
	for _, o := range r.Contents {
		out.Versions = append(out.Versions, xmlVersion{nullVersion, true, o})
	}
	if page.Truncated {
		out.NextKeyMarker, out.NextVersionID = l.encode(page.Last), nullVersion
	}
	return c.xml(out)
}
