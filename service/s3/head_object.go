package s3

import "net/http"

// headObject answers what getObject would, without the bytes.
func (c *call) headObject() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	if err := c.checkPartNumber(); err != nil {
		return err
	}
	o, err := c.store.Head(c.ctx, c.bucket, c.key)
	if err != nil {
		return err
	}
	v, err := c.view(o)
	if err != nil {
		return err
	}
	c.writeView(v)
	return nil
}

// writeView writes the status and headers of a view.
func (c *call) writeView(v view) {
	c.describe(v.object)
	h := c.w.Header()
	h.Set("Content-Length", itoa64(v.length))
	status := http.StatusOK
	if v.partial {
		status = http.StatusPartialContent
		h.Set("Content-Range", v.contentRange())
	}
	if c.header("X-Amz-Checksum-Mode") == "ENABLED" && v.length == v.object.Size {
		setChecksum(h, v.object.Checksum)
	}
	if c.query.Has("partNumber") && v.object.Parts > 0 {
		h.Set("X-Amz-Mp-Parts-Count", itoa(v.object.Parts))
	}
	for name, header := range overrides {
		if value := c.query.Get(name); value != "" {
			h.Set(header, value)
		}
	}
	c.w.WriteHeader(status)
}

// overrides are the parameters by which a reader chooses the answer's headers.
var overrides = map[string]string{
	"response-cache-control":       "Cache-Control",
	"response-content-disposition": "Content-Disposition",
	"response-content-encoding":    "Content-Encoding",
	"response-content-language":    "Content-Language",
	"response-content-type":        "Content-Type",
	"response-expires":             "Expires",
}
