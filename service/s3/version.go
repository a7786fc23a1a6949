package s3

import "net/http"

// nullVersion is the version of an object in a bucket without versioning.
const nullVersion = "null"

// checkVersion refuses every versionId but the one there is.
func (c *call) checkVersion() error {
	return checkVersionID(c.query.Get("versionId"), c.query.Has("versionId"))
}

func checkVersionID(id string, given bool) error {
	switch {
	case !given || id == nullVersion:
		return nil
	case id == "":
		return errInvalidArgument("versionId", id, "Version id cannot be the empty string")
	}
	return apiError("NoSuchVersion", http.StatusNotFound, "The specified version does not exist.", [2]string{"VersionId", id})
}
