package bedrock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"

	"outcrop.dev/outcrop"
)

// checkKey names what is checked: two jobs with the same key have the same answer. It has neither
// whose they are nor what for.
func checkKey(job *outcrop.Job, base outcrop.ModelFiles, files []outcrop.ObjectInfo) string {
	key, err := json.Marshal([]any{base, job.CustomizationType, job.Train, files})
	if err != nil {
		panic(fmt.Sprintf("bedrock: a check that cannot be marshalled: %v", err)) // our own bug
	}
	return string(key)
}

// checked is what a check has found, and the bytes that it has read.
type checked struct {
	bad    *outcrop.Error // why the data cannot be trained on
	report []byte         // all that is wrong with them
	train  outcrop.TrainSpec
	held   holding
	log    *slog.Logger
}

// checkRows takes the bytes that a job's files have now, and reads every row of them. What found
// holds must be released, also after an error.
func (s *Service) checkRows(ctx context.Context, job *outcrop.Job, base outcrop.ModelFiles, files []outcrop.ObjectInfo, found *checked) error {
	found.log, found.held.Objects = s.log, s.objects
	for _, f := range files {
		err := found.held.take(ctx, f, outcrop.HeldPrefix+s.newID())
		if outcrop.CodeOf(err) == outcrop.CodeNotFound {
			return errInvalid("%s", s.noInput(ctx, f.Bucket, f.Key)) // it was deleted just now
		}
		if err != nil {
			return err
		}
	}
	var err error
	found.train, found.report, err = s.planner.PlanJob(ctx, job, base, &found.held)
	if found.report != nil && errors.As(err, &found.bad) {
		return nil // an answer, as good as another
	}
	return err
}

// keep makes the bytes readable by their digests, for a job that is accepted now.
func (c checked) keep(ctx context.Context) (inputs []outcrop.Input, err error) {
	for _, f := range c.held.files {
		if f.SHA256 == "" {
			return nil, fmt.Errorf("keep %s: it was not read to its end", f.URI)
		}
		if _, err := c.held.Copy(ctx, outcrop.SystemBucket, f.key, outcrop.SystemBucket, outcrop.BlobKey(f.SHA256)); err != nil {
			return nil, fmt.Errorf("keep %s: %w", f.URI, err)
		}
		inputs = append(inputs, f.Input)
	}
	return inputs, nil
}

// release lets go of what was read. What an error leaves goes at the server's next start.
func (c checked) release(ctx context.Context) {
	for _, f := range c.held.files {
		if err := c.held.Delete(ctx, outcrop.SystemBucket, f.key); err != nil {
			c.log.Warn("release data that was checked", "key", f.key, "error", err)
		}
	}
}

// holding is the objects as they were when a check took them: they are read, and digested, from where
// nobody changes them.
type holding struct {
	outcrop.Objects
	files []*heldFile
}

// heldFile is one of them, with its key in the system bucket. It has a digest once it has been read.
type heldFile struct {
	outcrop.Input
	key string
}

// take takes the bytes that an object has now. Of one that is named twice there is one content.
func (h *holding) take(ctx context.Context, file outcrop.ObjectInfo, key string) error {
	if h.find(file.Bucket, file.Key) != nil {
		return nil
	}
	info, err := h.Copy(ctx, file.Bucket, file.Key, outcrop.SystemBucket, key)
	if err == nil {
		h.files = append(h.files, &heldFile{outcrop.Input{URI: objectURI(file.Bucket, file.Key), Size: info.Size}, key})
	}
	return err
}

func objectURI(bucket, key string) string { return "s3://" + bucket + "/" + key }

func (h *holding) find(bucket, key string) *heldFile {
	for _, f := range h.files {
		if f.URI == objectURI(bucket, key) {
			return f
		}
	}
	return nil
}

// Get implements outcrop.Objects for what is held.
func (h *holding) Get(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	f := h.find(bucket, key)
	if f == nil {
		return nil, outcrop.ObjectInfo{}, outcrop.Errorf(outcrop.CodeAccessDenied, "%s is no input of the job.", objectURI(bucket, key))
	}
	r, info, err := h.Objects.Get(ctx, outcrop.SystemBucket, f.key)
	return &digesting{r, sha256.New(), f}, info, err
}

// digesting is a held file that is digested while it is read.
type digesting struct {
	io.ReadCloser
	hash hash.Hash
	file *heldFile
}

func (d *digesting) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.hash.Write(p[:n])
	if err == io.EOF {
		d.file.SHA256 = hex.EncodeToString(d.hash.Sum(nil))
	}
	return n, err
}
