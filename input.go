package outcrop

// Input is a file of a job's data as it was when the job was accepted. Its bytes are kept by their
// digest until the job has ended, whatever becomes of the object that they came from.
type Input struct {
	URI    string
	Size   int64
	SHA256 string // in hex
}

// SystemBucket holds what the system keeps for itself. No user's bucket can have its name, and no
// user's request reaches it. Objects.Copy makes it when it is missing.
const SystemBucket = ".outcrop"

// What lies in the system bucket, by the beginning of its keys.
const (
	BlobPrefix = "blobs/"  // bytes by their digest; what no live job names goes with the next sweep
	HeldPrefix = "checks/" // what a check reads; what is left of a server that died goes at the next start
)

// BlobKey returns the key, in the system bucket, of the bytes with a digest.
func BlobKey(sha256 string) string { return BlobPrefix + sha256 }
