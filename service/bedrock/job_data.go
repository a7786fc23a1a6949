package bedrock

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"

	"outcrop.dev/outcrop"
)

// writeCheckFile is what a job writes to its output prefix to see whether it may, under the
// name that AWS documents.
const writeCheckFile = ".write_access_check_file.tmp"

// checkJobData checks that the job can read its data and write its output, and every row of
// the data. The whole report on bad data goes to the output prefix, where the error says so. Good
// data are kept as they were checked, and the hyperparameters that were left open are chosen.
func (s *Service) checkJobData(ctx context.Context, job *outcrop.Job, base *outcrop.Model) error {
	files, err := s.checkReadable(ctx, job)
	if err != nil {
		return err
	}
	if err := s.checkWritable(ctx, job); err != nil {
		return err
	}
	model, err := s.models.Files(ctx, base.Ref())
	if err != nil {
		return err
	}
	if s.planner == nil {
		return errInvalid("This server was started without what plans jobs, and takes none. Start it with `outcrop serve`.")
	}
	found, leave, err := s.checks.join(ctx, checkKey(job, model, files), func(ctx context.Context, found *checked) error {
		return s.checkRows(ctx, job, model, files, found)
	})
	defer leave()
	if err != nil {
		return err
	}
	if found.bad != nil {
		return s.refused(ctx, job, found)
	}
	job.Train = found.train
	job.Inputs, err = found.keep(ctx)
	return err
}

// refused returns the error for bad data, with the place where the whole report is.
func (s *Service) refused(ctx context.Context, job *outcrop.Job, found checked) error {
	uri := outcrop.JoinS3URI(job.OutputPrefix(), outcrop.DataReportFile)
	if err := s.put(ctx, uri, "application/json", found.report); err != nil {
		return err
	}
	return &outcrop.Error{Code: found.bad.Code, Reason: found.bad.Reason, Msg: fmt.Sprintf("%s The full report is at %s.", found.bad.Msg, uri)}
}

// checkReadable returns what the job's files are now, the training data first. It finds those that
// are missing or too long, all of them.
func (s *Service) checkReadable(ctx context.Context, job *outcrop.Job) (files []outcrop.ObjectInfo, err error) {
	var problems []string
	for i, uri := range append([]string{job.TrainingURI}, job.ValidationURIs...) {
		limit := int64(ValidationBytesMax)
		if i == 0 {
			limit = TrainingBytesMax
		}
		file, problem, err := s.unreadable(ctx, uri, limit)
		if err != nil {
			return nil, err
		}
		if problem != "" {
			problems = append(problems, problem)
		}
		files = append(files, file)
	}
	if len(problems) > 0 {
		return nil, errInvalid("%s", strings.Join(problems, " "))
	}
	return files, nil
}

// unreadable says why a file cannot be used, in AWS's words where it has any.
func (s *Service) unreadable(ctx context.Context, uri string, limit int64) (file outcrop.ObjectInfo, problem string, err error) {
	bucket, key, err := outcrop.ParseS3URI(uri)
	if err != nil {
		return file, "", err
	}
	file, err = s.objects.Head(ctx, bucket, key)
	file.Bucket, file.Key = bucket, key
	switch {
	case outcrop.CodeOf(err) == outcrop.CodeNotFound:
		return file, s.noInput(ctx, bucket, key), nil
	case err == nil && file.Size > limit:
		problem = fmt.Sprintf("The file %s has %d bytes, and may have %d. Give the job less data.", uri, file.Size, limit)
	}
	return file, problem, err
}

// noInput says, in AWS's words, that there is no object.
func (s *Service) noInput(ctx context.Context, bucket, key string) string {
	return "Could not validate GetObject permissions to access Amazon S3 bucket: " + bucket + " at key " + key + ": " + s.whatIsMissing(ctx, bucket, key)
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
