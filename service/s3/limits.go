package s3

// S3's limits on what is stored (AWS, "Amazon S3 multipart upload limits", "Object metadata").
const (
	keyMax      = 1024    // bytes of a key
	metadataMax = 2 << 10 // bytes of the names and values of user metadata together
	putMax      = 5 << 30 // bytes of the body of PutObject and UploadPart
	copyMax     = 5 << 30 // bytes of an object that CopyObject takes
	partsMax    = 10_000  // the number of a part
)

// S3's limits on tags; lengths are in characters.
const (
	objectTagsMax = 10
	bucketTagsMax = 50
	tagKeyMax     = 128
	tagValueMax   = 256
)

// S3's limits on one request.
const (
	deleteMax  = 1000   // keys of DeleteObjects
	listMax    = 1000   // items of a page
	bucketsMax = 10_000 // buckets of a page
)

// Limits of our own.
const (
	// documentMax is the largest XML body: a list of 1,000 keys of 1,024 bytes, escaped, or of
	// 10,000 parts with their checksums, fits.
	documentMax = 8 << 20

	// drainMax is the largest body that is read although the request is refused already. A
	// client that sends all of a body before it reads would otherwise find the connection reset,
	// and not the error. Parts are of 5 to 8 MiB. It is thrown away as it comes and takes no
	// memory; whoever is not known has the time that the server gives to bodies, and no more.
	drainMax = 16 << 20
)
