// Package blob is the vocabulary of object storage: buckets, objects, multipart uploads,
// checksums and the errors between them. Package data/blob/disk keeps them on a disk; service/s3
// shows them to clients.
//
// It knows no protocol and touches no file. A key is any string of bytes: nothing here or
// below makes a path of it.
package blob

import (
	"context"
	"io"
	"time"
)

// Bucket is a bucket.
type Bucket struct {
	Name    string
	Created time.Time
	Tags    []Tag
}

// Tag is a tag of a bucket or an object.
type Tag struct{ Key, Value string }

// Attributes are what a client says about an object besides its bytes.
type Attributes struct {
	// Headers holds the content headers that S3 stores and gives back, by canonical name:
	// Content-Type, Cache-Control, Content-Disposition, Content-Encoding,
	// Content-Language, Expires.
	Headers map[string]string `json:",omitempty"`
	// Metadata is the user's, by lower-case name without x-amz-meta-.
	Metadata map[string]string `json:",omitempty"`
	Tags     []Tag             `json:",omitempty"`
}

// Object describes a stored object.
type Object struct {
	Bucket, Key string
	// ID names these bytes under this key: each put makes a new one. An object made by a
	// multipart upload has the upload's id.
	ID       string
	Size     int64
	ETag     string // without quotes: 32 hexadecimal digits, and "-N" for N parts
	Modified time.Time
	Checksum Checksum // zero if none was kept
	Parts    int      // of the multipart upload that made it; 0 for a plain put
	Attributes
}

// Part describes a part of an upload, or of the object that the upload became.
type Part struct {
	Number   int
	Size     int64
	ETag     string // 32 hexadecimal digits
	Modified time.Time
	Checksum Checksum
}

// Upload describes a multipart upload that is under way.
type Upload struct {
	Bucket, Key string
	ID          string
	Started     time.Time
	// Checksum names the algorithm and type that the upload was created with; its value is
	// empty. Zero: none was asked for.
	Checksum Checksum
	Attributes
}

// EffectiveChecksum returns the checksum that the object will have: if none was asked for,
// S3 makes a CRC64NVME of the whole.
func (u Upload) EffectiveChecksum() Checksum {
	if u.Checksum.Algorithm == "" {
		return Checksum{Algorithm: CRC64NVME, Type: FullObject}
	}
	return u.Checksum
}

// Digest is what a store computed of the bytes it was given.
type Digest struct {
	Size int64
	Sums map[Algorithm][]byte // always with MD5
}

// Condition restricts a write. It is checked in the transaction that commits the write.
type Condition struct {
	Absent bool   // If-None-Match: *: the key must not exist
	ETag   string // If-Match: the key must exist with this tag; "*" is any. Empty: no condition
	// Check, if not nil, must be true of the object there is; without one, it does not matter.
	Check func(Object) bool
}

// PutInput is what Put and UploadPart need besides the place.
type PutInput struct {
	Body       io.Reader // read to io.EOF; any other error aborts
	Algorithms []Algorithm
	// Accept is called once the body is on disk and before it is committed. It returns the
	// checksum to keep, or an error that aborts. Nil keeps none.
	Accept     func(Digest) (Checksum, error)
	Attributes // of a put; a part has none
	Condition  Condition
}

// Source says where a copy comes from.
type Source struct {
	Bucket, Key string
	// Check is called with the object that will be copied; an error aborts. Nil accepts all.
	Check func(Object) error
	// First and Length are the range of bytes to copy; Length < 0 is everything from First.
	First, Length int64
}

// CopyInput is what CopyObject needs besides the places.
type CopyInput struct {
	// Attributes returns those of the new object, given the source.
	Attributes func(Object) (Attributes, error)
	// Algorithm is the checksum that the copy shall have; empty keeps the source's.
	Algorithm Algorithm
	Condition Condition
}

// CompletedPart names a part in a request to complete an upload.
type CompletedPart struct {
	Number   int
	ETag     string
	Checksum Checksum // zero if the client did not send one
}

// CompleteInput is what CompleteUpload needs besides the place.
type CompleteInput struct {
	Parts   []CompletedPart
	PartMin int64 // the least size of a part that is not the last
	// Accept is called with the object before it is committed; an error aborts.
	Accept    func(Object) error
	Condition Condition
}

// ObjectQuery asks for objects in key order.
type ObjectQuery struct {
	Prefix    string
	Delimiter string // keys that have it after the prefix are rolled up into a common prefix
	After     string // only keys after this one; "" is from the beginning
	// AfterPrefix is a common prefix that was already listed: all keys that begin with it are
	// left out too. Empty: none.
	AfterPrefix string
	Max         int
}

// ObjectPage is part of a listing. If Truncated, a query that continues it has Last as
// After, or as AfterPrefix if LastIsPrefix.
type ObjectPage struct {
	Objects      []Object // without Attributes
	Prefixes     []string
	Truncated    bool
	Last         string
	LastIsPrefix bool
}

// UploadQuery asks for uploads in the order of key, then start.
type UploadQuery struct {
	Prefix, Delimiter string
	AfterKey, AfterID string
	Max               int
}

// UploadPage is part of a listing of uploads. If Truncated, LastKey and LastID continue it.
type UploadPage struct {
	Uploads         []Upload // without Attributes
	Prefixes        []string
	Truncated       bool
	LastKey, LastID string
}

// Reader reads the bytes of one object; they stay readable although the object is
// overwritten or deleted, until Close.
type Reader interface {
	io.ReadCloser
	// Range makes the next Read begin at offset first and end after n bytes.
	Range(first, n int64)
	// Check looks at the first bytes of the range, so that damage there is known before anything
	// is answered; they are read all the same. Error: ErrDamaged.
	Check() error
}

// Opener opens an object for reading.
type Opener interface {
	Open(ctx context.Context, bucket, key string) (Object, Reader, error)
}
