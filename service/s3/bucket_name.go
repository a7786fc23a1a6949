package s3

import (
	"net/http"
	"net/netip"
	"strings"
)

// validBucket checks S3's "Bucket naming rules".
func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") {
		return false
	}
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		edge := i == 0 || i == len(name)-1
		if !letter && (edge || c != '-' && c != '.') {
			return false
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	for _, p := range []string{"xn--", "sthree-"} {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	for _, p := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, p) {
			return false
		}
	}
	return true
}

func errInvalidBucketName(name string) error {
	return apiError("InvalidBucketName", http.StatusBadRequest, "The specified bucket is not valid.", [2]string{"BucketName", name})
}
