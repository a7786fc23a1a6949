package s3

import (
	"encoding/xml"
	"net/url"
	"strings"

	"outcrop.dev/outcrop/data/blob"
)

const copySourceHeader = "X-Amz-Copy-Source"

type copyObjectResult struct {
	XMLName      xml.Name `xml:"CopyObjectResult"`
	Xmlns        string   `xml:"xmlns,attr"`
	LastModified string
	ETag         string
	xmlChecksum
}

func (c *call) copyObject() error {
	src, err := c.copySource()
	if err != nil {
		return err
	}
	metadata, err := c.directive("X-Amz-Metadata-Directive", "Unknown metadata directive.")
	if err != nil {
		return err
	}
	tags, err := c.directive("X-Amz-Tagging-Directive", "Unknown tagging directive.")
	if err != nil {
		return err
	}
	given, err := c.attributes()
	if err != nil {
		return err
	}
	in := blob.CopyInput{Attributes: func(o blob.Object) (blob.Attributes, error) {
		return copyAttributes(o, given, metadata, tags), nil
	}}
	if v := c.header("X-Amz-Checksum-Algorithm"); v != "" {
		var ok bool
		if in.Algorithm, ok = parseAlgorithm(v); !ok {
			return errAlgorithm
		}
	}
	if in.Condition, err = c.writeCondition(); err != nil {
		return err
	}
	if src.Bucket == c.bucket && src.Key == c.key && metadata == copyDirective && tags == copyDirective && in.Algorithm == "" {
		return errInvalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the " +
			"object's metadata, storage class, website redirect location or encryption attributes.")
	}
	o, err := c.store.Copy(c.ctx, src, c.bucket, c.key, in)
	if err != nil {
		return c.sourceError(err, src)
	}
	return c.xml(copyObjectResult{Xmlns: ns, LastModified: xmlTime(o.Modified), ETag: quote(o.ETag), xmlChecksum: checksumElements(o.Checksum)})
}

// copyAttributes are the source's, but for what the directives replace.
func copyAttributes(o blob.Object, given blob.Attributes, metadata, tags string) blob.Attributes {
	a := o.Attributes
	if metadata == replaceDirective {
		a.Headers, a.Metadata = given.Headers, given.Metadata
	} else if a.Headers[redirectHeader] != "" || given.Headers[redirectHeader] != "" {
		headers := map[string]string{} // a redirect is never copied
		for name, v := range a.Headers {
			headers[name] = v
		}
		delete(headers, redirectHeader)
		if v := given.Headers[redirectHeader]; v != "" {
			headers[redirectHeader] = v
		}
		a.Headers = headers
	}
	if tags == replaceDirective {
		a.Tags = given.Tags
	}
	return a
}

const (
	copyDirective    = "COPY"
	replaceDirective = "REPLACE"
)

func (c *call) directive(header, message string) (string, error) {
	switch v := c.header(header); v {
	case "":
		return copyDirective, nil
	case copyDirective, replaceDirective:
		return v, nil
	default:
		return "", errInvalidArgument(strings.ToLower(header), v, message)
	}
}

// copySource reads x-amz-copy-source, [/]bucket/key[?versionId=…] with escapes, and the
// conditions on the source, which the caller must be allowed to get.
func (c *call) copySource() (src blob.Source, err error) {
	raw := c.header(copySourceHeader)
	path, version, versioned := strings.Cut(raw, "?versionId=")
	path, err = url.PathUnescape(path)
	if err != nil {
		return src, errInvalidArgument(strings.ToLower(copySourceHeader), raw, "Invalid copy source encoding")
	}
	src.Bucket, src.Key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	src.Length = -1
	switch {
	case !validBucket(src.Bucket):
		return src, errInvalidArgument(strings.ToLower(copySourceHeader), raw, "Invalid copy source bucket name")
	case src.Key == "" || len(src.Key) > keyMax:
		return src, errInvalidArgument(strings.ToLower(copySourceHeader), raw, "Invalid copy source object key")
	}
	if owner := c.header("X-Amz-Source-Expected-Bucket-Owner"); owner != "" && owner != c.caller.Account {
		return src, errAccessDenied
	}
	if err := c.authorize("GetObject", src.Bucket, src.Key); err != nil {
		return src, err
	}
	conditions := c.readConditions("X-Amz-Copy-Source-")
	src.Check = func(o blob.Object) error {
		if err := conditions.check(o); err != nil {
			return errPrecondition // a copy has no 304
		}
		if o.Size > copyMax {
			return errInvalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: " + itoa64(copyMax))
		}
		return nil
	}
	return src, checkVersionID(version, versioned)
}

// sourceError names the source in an error that is about it.
func (c *call) sourceError(err error, src blob.Source) error {
	switch {
	case isMissing(err) && c.header("If-Match") == "":
		return errNoSuchKey(src.Key)
	case isMissingBucket(err):
		if _, own := c.store.HeadBucket(c.ctx, c.bucket); own == nil {
			return errNoSuchBucket(src.Bucket)
		}
	}
	return err
}
