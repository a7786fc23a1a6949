package s3

import (
	"encoding/xml"
	"errors"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/wire/restxml"
)

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct {
		Key       string
		VersionID *string `xml:"VersionId"`
		ETag      string
	} `xml:"Object"`
}

type deleteResult struct {
	XMLName xml.Name `xml:"DeleteResult"`
	Xmlns   string   `xml:"xmlns,attr"`
	Deleted []xmlDeleted
	Errors  []xmlDeleteError `xml:"Error"`
}

type xmlDeleted struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
}

type xmlDeleteError struct {
	Key       string
	Code      string
	Message   string
	VersionID string `xml:"VersionId,omitempty"`
}

// deleteObjects removes up to 1,000 keys in one commit. Keys with a condition or a version go
// one by one, since each may fail for itself. So may a key that the caller may not delete.
func (c *call) deleteObjects() error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	var in deleteRequest
	if err := c.document(&in, true); err != nil {
		return err
	}
	if len(in.Objects) == 0 || len(in.Objects) > deleteMax {
		return errMalformedXML
	}
	out := deleteResult{Xmlns: ns}
	var plain []string
	for _, o := range in.Objects {
		gone := xmlDeleted{Key: o.Key}
		var err error
		denied := c.authorize("DeleteObject", c.bucket, o.Key)
		switch {
		case o.Key == "":
			return errMalformedXML
		case len(o.Key) > keyMax:
			err = errKeyTooLong(len(o.Key))
		case denied != nil:
			err = denied
		case o.VersionID != nil || o.ETag != "":
			gone, err = c.deleteOne(o.Key, o.VersionID, o.ETag)
		default:
			plain = append(plain, o.Key)
		}
		if err != nil {
			e := c.explain(err)
			out.Errors = append(out.Errors, xmlDeleteError{o.Key, e.Code, e.Message, gone.VersionID})
		} else if !in.Quiet {
			out.Deleted = append(out.Deleted, gone)
		}
	}
	if err := c.store.DeleteMany(c.ctx, c.bucket, plain); err != nil {
		return err
	}
	return c.xml(out)
}

func (c *call) deleteOne(key string, version *string, etag string) (xmlDeleted, error) {
	gone := xmlDeleted{Key: key}
	if version != nil {
		gone.VersionID = *version
		if err := checkVersionID(*version, *version != ""); err != nil {
			var e *restxml.Error
			if errors.As(err, &e) && e.Code == "NoSuchVersion" {
				return gone, err
			}
		}
	}
	return gone, c.store.Delete(c.ctx, c.bucket, key, blob.Condition{ETag: unquote(etag)})
}
