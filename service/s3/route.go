package s3

import (
	"net"
	"net/http"
	"strings"
)

// target splits the request's place into bucket and key. The path is taken as it came, but
// for its percent-escapes: nothing cleans "//" or "..".
func (c *call) target() (bucket, key string) {
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	if bucket = c.BucketOf(c.r.Host); bucket != "" {
		return bucket, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// BucketOf returns the bucket that a Host header names, or "" if it names none.
func (s *Service) BucketOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for _, d := range s.opt.Domains {
		if b, ok := strings.CutSuffix(host, "."+d); ok {
			return b
		}
	}
	return ""
}

// perKey is the action of an operation that asks for each of its objects by itself.
const perKey = ""

// routes says which operation a method and a sub-resource select. "" is no sub-resource.
type routes map[string]map[string]operation

var serviceRoutes = routes{
	http.MethodGet: {"": {"ListAllMyBuckets", (*call).listBuckets}},
}

var bucketRoutes = routes{
	http.MethodHead: {"": {"ListBucket", (*call).headBucket}},
	http.MethodGet: {
		"":           {"ListBucket", (*call).listObjects},
		"list-type":  {"ListBucket", (*call).listObjectsV2},
		"versions":   {"ListBucketVersions", (*call).listObjectVersions},
		"uploads":    {"ListBucketMultipartUploads", (*call).listMultipartUploads},
		"location":   {"GetBucketLocation", (*call).getBucketLocation},
		"versioning": {"GetBucketVersioning", (*call).getBucketVersioning},
		"tagging":    {"GetBucketTagging", (*call).getBucketTagging},
		"acl":        {"GetBucketAcl", (*call).getBucketAcl},

		"accelerate":        {"GetAccelerateConfiguration", sane(accelerateConfiguration{Xmlns: ns})},
		"cors":              {"GetBucketCORS", none("NoSuchCORSConfiguration", "The CORS configuration does not exist")},
		"encryption":        {"GetEncryptionConfiguration", none("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found")},
		"lifecycle":         {"GetLifecycleConfiguration", none("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")},
		"logging":           {"GetBucketLogging", sane(bucketLoggingStatus{Xmlns: ns})},
		"notification":      {"GetBucketNotification", sane(notificationConfiguration{Xmlns: ns})},
		"object-lock":       {"GetBucketObjectLockConfiguration", none("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket.")},
		"ownershipControls": {"GetBucketOwnershipControls", sane(ownershipControls{Xmlns: ns, Rule: ownershipRule{"BucketOwnerEnforced"}})},
		"policy":            {"GetBucketPolicy", none("NoSuchBucketPolicy", "The bucket policy does not exist.")},
		"policyStatus":      {"GetBucketPolicyStatus", none("NoSuchBucketPolicy", "The bucket policy does not exist.")},
		"publicAccessBlock": {"GetBucketPublicAccessBlock", none("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")},
		"replication":       {"GetReplicationConfiguration", none("ReplicationConfigurationNotFoundError", "The replication configuration was not found")},
		"requestPayment":    {"GetBucketRequestPayment", sane(requestPaymentConfiguration{Xmlns: ns, Payer: "BucketOwner"})},
		"website":           {"GetBucketWebsite", none("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")},
	},
	http.MethodPut: {
		"":        {"CreateBucket", (*call).createBucket},
		"tagging": {"PutBucketTagging", (*call).putBucketTagging},
		"acl":     {"PutBucketAcl", (*call).putBucketAcl},
	},
	http.MethodPost: {"delete": {perKey, (*call).deleteObjects}},
	http.MethodDelete: {
		"":        {"DeleteBucket", (*call).deleteBucket},
		"tagging": {"PutBucketTagging", (*call).deleteBucketTagging},

		"cors":              {"PutBucketCORS", removed},
		"encryption":        {"PutEncryptionConfiguration", removed},
		"lifecycle":         {"PutLifecycleConfiguration", removed},
		"policy":            {"DeleteBucketPolicy", removed},
		"publicAccessBlock": {"PutBucketPublicAccessBlock", removed},
		"replication":       {"PutReplicationConfiguration", removed},
		"website":           {"DeleteBucketWebsite", removed},
	},
}

var objectRoutes = routes{
	http.MethodHead: {"": {"GetObject", (*call).headObject}},
	http.MethodGet: {
		"":           {"GetObject", (*call).getObject},
		"acl":        {"GetObjectAcl", (*call).getObjectAcl},
		"attributes": {"GetObjectAttributes", (*call).getObjectAttributes},
		"tagging":    {"GetObjectTagging", (*call).getObjectTagging},
		"uploadId":   {"ListMultipartUploadParts", (*call).listParts},
		"legal-hold": {"GetObjectLegalHold", (*call).objectLockMissing},
		"retention":  {"GetObjectRetention", (*call).objectLockMissing},
	},
	http.MethodPut: {
		"":           {"PutObject", (*call).putObject},
		"tagging":    {"PutObjectTagging", (*call).putObjectTagging},
		"acl":        {"PutObjectAcl", (*call).putObjectAcl},
		"uploadId":   {"PutObject", (*call).uploadPart},
		"legal-hold": {"PutObjectLegalHold", (*call).objectLockMissing},
		"retention":  {"PutObjectRetention", (*call).objectLockMissing},
	},
	http.MethodPost: {
		"uploads":  {"PutObject", (*call).createMultipartUpload},
		"uploadId": {"PutObject", (*call).completeMultipartUpload},
	},
	http.MethodDelete: {
		"":         {"DeleteObject", (*call).deleteObject},
		"tagging":  {"DeleteObjectTagging", (*call).deleteObjectTagging},
		"uploadId": {"AbortMultipartUpload", (*call).abortMultipartUpload},
	},
}

// subResources are the query parameters that select an operation, all those of S3. Where two
// stand in one request the first of this list counts.
var subResources = []string{
	"uploadId", "uploads", "tagging", "acl", "attributes", "delete", "list-type", "location", "versioning", "versions",
	"policy", "policyStatus", "cors", "lifecycle", "website", "replication", "encryption", "logging", "notification",
	"accelerate", "requestPayment", "object-lock", "ownershipControls", "publicAccessBlock", "legal-hold", "retention",
	"analytics", "inventory", "metrics", "intelligent-tiering", "torrent", "restore", "select", "session", "renameObject",
	"metadataConfiguration", "metadataTable", "metadataInventoryTable", "metadataJournalTable", "annotation", "annotations", "encryptionConfiguration", "abac",
}

// route finds the operation. A sub-resource that S3 has and we have not is NotImplemented;
// a method that S3 does not have there is MethodNotAllowed. Other parameters (x-id) count
// for nothing.
func (c *call) route() (operation, error) {
	table, kind := serviceRoutes, "SERVICE"
	switch {
	case c.key != "":
		table, kind = objectRoutes, "OBJECT"
	case c.bucket != "":
		table, kind = bucketRoutes, "BUCKET"
	}
	byName := table[c.r.Method]
	for _, name := range subResources {
		if !c.query.Has(name) {
			continue
		}
		if err := c.checkStreaming(kind, name); err != nil {
			return operation{}, err
		}
		op, ok := byName[name]
		if !ok {
			return operation{}, errNotImplemented("The sub-resource ?" + name + " is not implemented for " + c.r.Method + ".")
		}
		return op, nil
	}
	op, ok := byName[""]
	if !ok {
		return operation{}, errMethodNotAllowed(c.r.Method, kind)
	}
	return op, c.checkStreaming(kind, "")
}

// checkStreaming refuses aws-chunked bodies where S3 does: only objects and parts have them.
func (c *call) checkStreaming(kind, name string) error {
	streamed := strings.HasPrefix(c.header("X-Amz-Content-Sha256"), "STREAMING-")
	if streamed && !(kind == "OBJECT" && c.r.Method == http.MethodPut && (name == "" || name == "uploadId")) {
		return errInvalidRequest("The value of x-amz-content-sha256 header is invalid.")
	}
	return nil
}
