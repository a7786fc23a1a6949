package customize

import (
	"fmt"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// Explain implements work.Rules. It says why a job has failed and what to do. Where AWS documents a text for the case
// (Amazon Bedrock User Guide, "Troubleshoot issues with model customization"), the message
// begins with it, so that runbooks and scripts that look for it find it. What a worker has
// said itself was written for the user and stands alone, unless the fault is our own.
func (Rules) Explain(j *outcrop.Job, e work.Ending) string {
	what := e.String()
	if e.Said && e.Message != "" && e.Final() && (e.Code != attempt.ExitNoInput || e.Reason != "") {
		return work.Sentences(what)
	}
	log := "The worker's log is " + e.Log + "."
	switch e.Code {
	case work.CodeTaken:
		return work.Sentences("The trained model could not be kept: "+what, "Create a new job with another customModelName.")
	case attempt.ExitBadData:
		return work.Sentences(prefixed("Unable to parse Amazon S3 file", what, fmt.Sprintf("Unable to parse Amazon S3 file: %s.", baseName(j.TrainingURI))),
			"Correct the data, check it with \"outcrop data check\", and create a new job.")
	case attempt.ExitNoInput:
		bucket, key, _ := outcrop.ParseS3URI(j.TrainingURI)
		return work.Sentences(prefixed("Could not validate", what, fmt.Sprintf("Could not validate GetObject permissions to access Amazon S3 bucket: %s at key %s.", bucket, key)),
			"Check that the job's buckets and files still exist, and create a new job.")
	case attempt.ExitOutOfMemory:
		return work.Sentences("The training does not fit into this machine's memory: "+what,
			"Give the job a smaller batchSize, shorter rows or method lora, or the machine more memory.", log)
	case attempt.ExitDiverged:
		return work.Sentences("The training diverged: "+what,
			"Use a smaller learningRate or more learningRateWarmupSteps, and create a new job.")
	case attempt.ExitConfig:
		return work.Sentences("The base model or the configuration cannot be used: "+what, "\"outcrop doctor\" checks both.", log)
	case attempt.ExitDeadline:
		return work.Sentences("The training took longer than it may: "+what, "Use fewer epochs or less data, and create a new job.")
	}
	return work.Sentences("Encountered an unexpected error when processing the request, please try again.", "The worker ended: "+what, e.Remedy(), log)
}

// prefixed returns what, after intro unless it begins like AWS's text already.
func prefixed(like, what, intro string) string {
	if strings.HasPrefix(what, like) {
		return what
	}
	return intro + " " + what
}

func baseName(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }
