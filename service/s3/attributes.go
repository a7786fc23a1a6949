package s3

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"outcrop.dev/outcrop/data/blob"
)

const metadataPrefix = "X-Amz-Meta-"

// contentHeaders are kept with an object and given back.
var contentHeaders = []string{
	"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires", redirectHeader,
}

const redirectHeader = "X-Amz-Website-Redirect-Location"

// attributes reads what the client says about an object, and refuses what we cannot do.
func (c *call) attributes() (a blob.Attributes, err error) {
	if err := c.checkUnsupported(); err != nil {
		return a, err
	}
	if a.Headers, err = c.contentHeaders(); err != nil {
		return a, err
	}
	if a.Metadata, err = c.metadata(); err != nil {
		return a, err
	}
	a.Tags, err = c.taggingHeader()
	return a, err
}

func (c *call) contentHeaders() (map[string]string, error) {
	headers := map[string]string{}
	for _, name := range contentHeaders {
		if v := c.header(name); v != "" {
			headers[name] = v
		}
	}
	to := headers[redirectHeader]
	if to != "" && !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "https://") {
		return nil, apiError("InvalidRedirectLocation", http.StatusBadRequest,
			"The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
	}
	return headers, nil
}

func (c *call) metadata() (map[string]string, error) {
	metadata, size := map[string]string{}, 0
	for name, values := range c.r.Header {
		short, ok := strings.CutPrefix(name, metadataPrefix)
		if !ok {
			continue
		}
		value := decodeMetadata(strings.Join(values, ","))
		metadata[strings.ToLower(short)] = value
		size += len(short) + len(value)
	}
	if size > metadataMax {
		return nil, errMetadataTooLarge(size)
	}
	return metadata, nil
}

func errMetadataTooLarge(size int) error {
	return apiError("MetadataTooLarge", http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size",
		[2]string{"Size", itoa(size)}, [2]string{"MaxSizeAllowed", itoa(metadataMax)})
}

// decodeMetadata makes a value Unicode: header bytes are UTF-8, RFC 2047 or else Latin-1.
func decodeMetadata(v string) string {
	if d, err := new(mime.WordDecoder).DecodeHeader(v); err == nil && strings.HasPrefix(v, "=?") {
		return d
	}
	if utf8.ValidString(v) {
		return v
	}
	latin := make([]rune, 0, len(v))
	for _, b := range []byte(v) {
		latin = append(latin, rune(b))
	}
	return string(latin)
}

// encodeMetadata is what S3 sends: RFC 2047 for what is not ASCII.
func encodeMetadata(v string) string { return mime.BEncoding.Encode("UTF-8", v) }

// checkUnsupported refuses headers that ask for what we do not do: an encrypted object that
// is not encrypted would be a lie.
func (c *call) checkUnsupported() error {
	h := c.r.Header
	for _, name := range []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Customer-Algorithm"} {
		if h.Get(name) != "" {
			return errNotImplemented("Outcrop does not encrypt objects: " + strings.ToLower(name) + " is not implemented. Put the data directory on an encrypted disk.")
		}
	}
	if class := h.Get("X-Amz-Storage-Class"); class != "" && class != "STANDARD" {
		return apiError("InvalidStorageClass", http.StatusBadRequest, "The storage class you specified is not valid: there is only STANDARD.")
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Object-Lock-") {
			return c.checkObjectLock()
		}
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			return errNoACL
		}
	}
	if acl := h.Get("X-Amz-Acl"); acl != "" && acl != "private" && acl != "bucket-owner-full-control" {
		return errNoACL
	}
	return nil
}

// taggingHeader reads x-amz-tagging, which is written like a query.
func (c *call) taggingHeader() ([]blob.Tag, error) {
	v := c.header("X-Amz-Tagging")
	if v == "" {
		return nil, nil
	}
	bad := errInvalidArgument("x-amz-tagging", v, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	var tags []blob.Tag
	for pair := range strings.SplitSeq(v, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || name == "" {
			return nil, bad
		}
		for _, t := range tags {
			if t.Key == name {
				return nil, bad
			}
		}
		tags = append(tags, blob.Tag{Key: name, Value: value})
	}
	return tags, checkTags(tags, objectTagsMax)
}

// describe puts an object's description into the answer's headers.
func (c *call) describe(o blob.Object) {
	h := c.w.Header()
	h.Set("Content-Type", "binary/octet-stream")
	for name, v := range o.Headers {
		h.Set(name, v)
	}
	for name, v := range o.Metadata {
		h[metadataPrefix+name] = []string{encodeMetadata(v)}
	}
	h.Set("ETag", quote(o.ETag))
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Amz-Storage-Class", "STANDARD")
	if n := len(o.Tags); n > 0 {
		h.Set("X-Amz-Tagging-Count", itoa(n))
	}
}

func quote(etag string) string { return `"` + etag + `"` }

func unquote(etag string) string { return strings.Trim(strings.TrimSpace(etag), `"`) }
