package bedrock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"outcrop.dev/outcrop"
)

// writeCheckFile is what a job writes to its output prefix to see whether it may, under the
// name that AWS documents.
const writeCheckFile = ".write_access_check_file.tmp"

// checkJobData checks that the job can read its data and write its output, and every row of
// the data. The whole report on bad data goes to the output prefix, where the error says so. Of
// good data, the hyperparameters that were left open are chosen.
func (s *Service) checkJobData(ctx context.Context, job *outcrop.Job, base *outcrop.Model) error {
	if err := s.checkReadable(ctx, job); err != nil {
		return err
	}
	if err := s.checkWritable(ctx, job); err != nil {
		return err
	}
	files, err := s.models.Files(ctx, base.Ref())
	if err != nil {
		return err
	}
	if s.planner == nil {
		return errInvalid("This server was started without what plans jobs, and takes none. Start it with `outcrop serve`.")
	}
	spec, report, err := s.planner.PlanJob(ctx, job, files, s.objects)
	var bad *outcrop.Error
	if report == nil || !errors.As(err, &bad) {
		job.Train = spec
		return err
	}
	uri := outcrop.JoinS3URI(job.OutputPrefix(), outcrop.DataReportFile)
	if err := s.put(ctx, uri, "application/json", report); err != nil {
		return err
	}
	return &outcrop.Error{Code: bad.Code, Reason: bad.Reason, Msg: fmt.Sprintf("%s The full report is at %s.", bad.Msg, uri)}
}

// checkReadable finds the files that are missing or too long, all of them.
func (s *Service) checkReadable(ctx context.Context, job *outcrop.Job) error {
	var problems []string
	for i, uri := range append([]string{job.TrainingURI}, job.ValidationURIs...) {
		limit := int64(ValidationBytesMax)
		if i == 0 {
			limit = TrainingBytesMax
		}
		problem, err := s.unreadable(ctx, uri, limit)
		if err != nil {
			return err
		}
		if problem != "" {
			problems = append(problems, problem)
		}
	}
	if len(problems) > 0 {
		return errInvalid("%s", strings.Join(problems, " "))
	}
	return nil
}

// unreadable says why a file cannot be used, in AWS's words where it has any.
func (s *Service) unreadable(ctx context.Context, uri string, limit int64) (string, error) {
	bucket, key, err := outcrop.ParseS3URI(uri)
	if err != nil {
		return "", err
	}
	info, err := s.objects.Head(ctx, bucket, key)
	switch {
	case outcrop.CodeOf(err) == outcrop.CodeNotFound:
		return "Could not validate GetObject permissions to access Amazon S3 bucket: " + bucket + " at key " + key + ": " + s.whatIsMissing(ctx, bucket, key), nil
	case err != nil:
		return "", err
	case info.Size > limit:
		return fmt.Sprintf("The file %s has %d bytes, and may have %d. Give the job less data.", uri, info.Size, limit), nil
	}
	return "", nil
}

// whatIsMissing tells a missing bucket from a missing key.
func (s *Service) whatIsMissing(ctx context.Context, bucket, key string) string {
	if outcrop.CodeOf(s.objects.HeadBucket(ctx, bucket)) == outcrop.CodeNotFound {
		return "the bucket does not exist."
	}
	if key == "" || strings.HasSuffix(key, "/") {
		return "give the URI of a file, not of a folder."
	}
	return "the key does not exist."
}

// checkWritable writes a small object to the output prefix and removes it.
func (s *Service) checkWritable(ctx context.Context, job *outcrop.Job) error {
	uri := outcrop.JoinS3URI(job.OutputURI, writeCheckFile)
	if err := s.put(ctx, uri, "application/octet-stream", nil); err != nil {
		return err
	}
	bucket, key, err := outcrop.ParseS3URI(uri)
	if err != nil {
		return err
	}
	return s.objects.Delete(ctx, bucket, key)
}

// put writes an object. A bucket that does not exist is the caller's mistake, in AWS's words.
func (s *Service) put(ctx context.Context, uri, contentType string, data []byte) error {
	bucket, key, err := outcrop.ParseS3URI(uri)
	if err != nil {
		return err
	}
	_, err = s.objects.Put(ctx, bucket, key, contentType, bytes.NewReader(data))
	if code := outcrop.CodeOf(err); code == outcrop.CodeNotFound || code == outcrop.CodeAccessDenied {
		return &outcrop.Error{Code: outcrop.CodeValidation, Err: err, Msg: "Amazon S3 perms missing (PutObject): Could not validate PutObject permissions to access S3 bucket: " +
			bucket + " at key " + path.Join(path.Dir(key), writeCheckFile) + ". Check that the bucket of outputDataConfig.s3Uri exists."}
	}
	return err
}
