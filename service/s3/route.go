package s3

import (
	"net"
	"net/http"
	"strings"
)

// keyMax is S3's limit on the bytes of a key.
const keyMax = 1024

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

// routes says which operation a method and a sub-resource select. "" is no sub-resource.
type routes map[string]map[string]operation

var serviceRoutes = routes{
	http.MethodGet: {"": (*call).listBuckets},
}

var bucketRoutes = routes{
	http.MethodHead: {"": (*call).headBucket},
	http.MethodGet: {
		"":           (*call).listObjects,
		"list-type":  (*call).listObjectsV2,
		"versions":   (*call).listObjectVersions,
		"uploads":    (*call).listMultipartUploads,
		"location":   (*call).getBucketLocation,
		"versioning": (*call).getBucketVersioning,
		"tagging":    (*call).getBucketTagging,
		"acl":        (*call).getBucketAcl,

		"accelerate":        sane(accelerateConfiguration{Xmlns: ns}),
		"cors":              none("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
		"encryption":        none("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found"),
		"lifecycle":         none("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
		"logging":           sane(bucketLoggingStatus{Xmlns: ns}),
		"notification":      sane(notificationConfiguration{Xmlns: ns}),
		"object-lock":       none("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket."),
		"ownershipControls": sane(ownershipControls{Xmlns: ns, Rule: ownershipRule{"BucketOwnerEnforced"}}),
		"policy":            none("NoSuchBucketPolicy", "The bucket policy does not exist."),
		"policyStatus":      none("NoSuchBucketPolicy", "The bucket policy does not exist."),
		"publicAccessBlock": none("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
		"replication":       none("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
		"requestPayment":    sane(requestPaymentConfiguration{Xmlns: ns, Payer: "BucketOwner"}),
		"website":           none("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
	},
	http.MethodPut: {
		"":        (*call).createBucket,
		"tagging": (*call).putBucketTagging,
		"acl":     (*call).putBucketAcl,
	},
	http.MethodPost: {"delete": (*call).deleteObjects},
	http.MethodDelete: {
		"":        (*call).deleteBucket,
		"tagging": (*call).deleteBucketTagging,

		"cors": removed, "encryption": removed, "lifecycle": removed, "policy": removed,
		"publicAccessBlock": removed, "replication": removed, "website": removed,
	},
}

var objectRoutes = routes{
	http.MethodHead: {"": (*call).headObject},
	http.MethodGet: {
		"":           (*call).getObject,
		"acl":        (*call).getObjectAcl,
		"attributes": (*call).getObjectAttributes,
		"tagging":    (*call).getObjectTagging,
		"uploadId":   (*call).listParts,
		"legal-hold": (*call).objectLockMissing,
		"retention":  (*call).objectLockMissing,
	},
	http.MethodPut: {
		"":           (*call).putObject,
		"tagging":    (*call).putObjectTagging,
		"acl":        (*call).putObjectAcl,
		"uploadId":   (*call).uploadPart,
		"legal-hold": (*call).objectLockMissing,
		"retention":  (*call).objectLockMissing,
	},
	http.MethodPost: {
		"uploads":  (*call).createMultipartUpload,
		"uploadId": (*call).completeMultipartUpload,
	},
	http.MethodDelete: {
		"":         (*call).deleteObject,
		"tagging":  (*call).deleteObjectTagging,
		"uploadId": (*call).abortMultipartUpload,
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
			return nil, err
		}
		op, ok := byName[name]
		if !ok {
			return nil, errNotImplemented("The sub-resource ?" + name + " is not implemented for " + c.r.Method + ".")
		}
		return op, nil
	}
	op, ok := byName[""]
	if !ok {
		return nil, errMethodNotAllowed(c.r.Method, kind)
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
