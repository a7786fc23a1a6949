package job

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
)

// explain says why a job has failed and what to do. Where AWS documents a text for the case
// (Amazon Bedrock User Guide, "Troubleshoot issues with model customization"), the message
// begins with it, so that runbooks and scripts that look for it find it. What a worker has
// said itself was written for the user and stands alone, unless the fault is our own.
func (e ending) explain(j *outcrop.Job, scratch string) string {
	what := e.String()
	if e.said && e.message != "" && e.final() && (e.code != attempt.ExitNoInput || e.reason != "") {
		return sentences(what)
	}
	log := "The worker's log is " + filepath.Join(scratch, attempt.LogFile) + "."
	switch e.code {
	case attempt.ExitBadData:
		return sentences(prefixed("Unable to parse Amazon S3 file", what, fmt.Sprintf("Unable to parse Amazon S3 file: %s.", baseName(j.TrainingURI))),
			"Correct the data, check it with \"outcrop data check\", and create a new job.")
	case attempt.ExitNoInput:
		bucket, key, _ := outcrop.ParseS3URI(j.TrainingURI)
		return sentences(prefixed("Could not validate", what, fmt.Sprintf("Could not validate GetObject permissions to access Amazon S3 bucket: %s at key %s.", bucket, key)),
			"Check that the job's buckets and files still exist, and create a new job.")
	case attempt.ExitOutOfMemory:
		return sentences("The training does not fit into this machine's memory: "+what,
			"Give the job a smaller batchSize, shorter rows or method lora, or the machine more memory.", log)
	case attempt.ExitDiverged:
		return sentences("The training diverged: "+what,
			"Use a smaller learningRate or more learningRateWarmupSteps, and create a new job.")
	case attempt.ExitConfig:
		return sentences("The base model or the configuration cannot be used: "+what, "\"outcrop doctor\" checks both.", log)
	case attempt.ExitDeadline:
		return sentences("The training took longer than it may: "+what, "Use fewer epochs or less data, and create a new job.")
	}
	return sentences("Encountered an unexpected error when processing the request, please try again.", "The worker ended: "+what, remedies[e.reason], log)
}

// remedies say what to do about a fault of the machine.
var remedies = map[outcrop.Reason]string{
	outcrop.ReasonDiskFull:  "The disk of the server's data directory is full: make room on it, or move the data directory to a larger one, and create a new job.",
	outcrop.ReasonDiskQuota: "The disk quota of the server's data directory is used up: raise it, and create a new job.",
	outcrop.ReasonReadOnly:  "The file system of the server's data directory cannot be written: mount it writable, look into the kernel's log for a failing disk, and create a new job.",
	outcrop.ReasonDenied:    "The server's user may not write to its data directory: correct the permissions, and create a new job.",
	outcrop.ReasonDiskFault: "The disk of the server's data directory fails: look into the kernel's log, and create a new job on another disk.",
	outcrop.ReasonNoMemory:  "The memory that the server may use is not enough for this job: shorten the longest rows, use a smaller model, or give the server more memory, and create a new job.",
}

// prefixed returns what, after intro unless it begins like AWS's text already.
func prefixed(like, what, intro string) string {
	if strings.HasPrefix(what, like) {
		return what
	}
	return intro + " " + what
}

// sentences joins parts with blanks, each ended with a full stop; empty ones are left out.
func sentences(parts ...string) string {
	var all []string
	for _, p := range parts {
		p = strings.TrimSpace(p)
		if p == "" {
			continue
		}
		if !strings.HasSuffix(p, ".") {
			p += "."
		}
		all = append(all, p)
	}
	return strings.Join(all, " ")
}

func baseName(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }

// givenUp returns the failure message of a job that has been tried often enough, or "".
func (w *watch) givenUp(j *outcrop.Job, e ending) string {
	a := j.Attempt
	where := "before the first step"
	if a.BestStep > 0 {
		where = fmt.Sprintf("after step %d", a.BestStep)
	}
	switch {
	case a.Failures >= failuresMax:
		return sentences(e.explain(j, w.scratch(j)), fmt.Sprintf("It failed %d times in a row %s", a.Failures, where))
	case a.Losses >= lossesMax:
		return sentences(fmt.Sprintf("The worker was ended from outside %d times in a row %s, the last time: %s", a.Losses, where, e),
			cmp.Or(remedies[e.reason], "Look for what ends it (a memory limit, a supervisor, a time limit), and create a new job."),
			"The worker's log is "+filepath.Join(w.scratch(j), attempt.LogFile))
	}
	return ""
}
