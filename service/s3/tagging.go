package s3

import (
	"encoding/xml"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"outcrop.dev/outcrop/data/blob"
)

type tagging struct {
	XMLName xml.Name  `xml:"Tagging"`
	Xmlns   string    `xml:"xmlns,attr,omitempty"`
	TagSet  xmlTagSet `xml:"TagSet"`
}

type xmlTagSet struct {
	Tags []xmlTag `xml:"Tag"`
}

type xmlTag struct{ Key, Value string }

// readTags parses the body of a put.
func (c *call) readTags(max int) ([]blob.Tag, error) {
	var in struct {
		XMLName xml.Name   `xml:"Tagging"`
		TagSet  *xmlTagSet `xml:"TagSet"`
	}
	if err := c.document(&in, false); err != nil {
		return nil, err
	}
	if in.TagSet == nil {
		return nil, errMalformedXML
	}
	return fromXMLTags(in.TagSet.Tags, max)
}

func fromXMLTags(in []xmlTag, max int) ([]blob.Tag, error) {
	tags := make([]blob.Tag, len(in))
	for i, t := range in {
		tags[i] = blob.Tag(t)
	}
	return tags, checkTags(tags, max)
}

func checkTags(tags []blob.Tag, max int) error {
	if len(tags) > max {
		if max == objectTagsMax {
			return apiError("BadRequest", http.StatusBadRequest, "Object tags cannot be greater than 10")
		}
		return apiError("BadRequest", http.StatusBadRequest, "Bucket tag count cannot be greater than 50")
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch n := utf8.RuneCountInString(t.Key); {
		case n == 0 || n > tagKeyMax || !validTag(t.Key):
			return apiError("InvalidTag", http.StatusBadRequest, "The TagKey you have provided is invalid", [2]string{"TagKey", t.Key})
		case utf8.RuneCountInString(t.Value) > tagValueMax || !validTag(t.Value):
			return apiError("InvalidTag", http.StatusBadRequest, "The TagValue you have provided is invalid", [2]string{"TagKey", t.Key}, [2]string{"TagValue", t.Value})
		case seen[t.Key]:
			return apiError("InvalidTag", http.StatusBadRequest, "Cannot provide multiple Tags with the same key", [2]string{"TagKey", t.Key})
		}
		seen[t.Key] = true
	}
	return nil
}

// validTag reports whether s has only the characters that S3 allows in tags.
func validTag(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsSpace(r) && !strings.ContainsRune("+-=._:/@", r) {
			return false
		}
	}
	return true
}

func (c *call) writeTags(tags []blob.Tag) error {
	out := tagging{Xmlns: ns}
	for _, t := range tags {
		out.TagSet.Tags = append(out.TagSet.Tags, xmlTag(t))
	}
	return c.xml(out)
}

func (c *call) getBucketTagging() error {
	b, err := c.store.HeadBucket(c.ctx, c.bucket)
	if err != nil {
		return err
	}
	if len(b.Tags) == 0 {
		return apiError("NoSuchTagSet", http.StatusNotFound, "The TagSet does not exist.", [2]string{"BucketName", c.bucket})
	}
	return c.writeTags(b.Tags)
}

func (c *call) putBucketTagging() error {
	tags, err := c.readTags(bucketTagsMax)
	if err != nil {
		return err
	}
	if err := c.store.SetBucketTags(c.ctx, c.bucket, tags); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) deleteBucketTagging() error {
	if err := c.store.SetBucketTags(c.ctx, c.bucket, nil); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) getObjectTagging() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	o, err := c.store.Head(c.ctx, c.bucket, c.key)
	if err != nil {
		return err
	}
	return c.writeTags(o.Tags)
}

func (c *call) putObjectTagging() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	tags, err := c.readTags(objectTagsMax)
	if err != nil {
		return err
	}
	if err := c.store.SetTags(c.ctx, c.bucket, c.key, tags); err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

func (c *call) deleteObjectTagging() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	if err := c.store.SetTags(c.ctx, c.bucket, c.key, nil); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
