package outcrop

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// Checkpoint is the weights that a job had at the end of an epoch, which its keepCheckpoints
// keeps: a custom model of its own, beside the one that the job is for.
type Checkpoint struct {
	Epoch            int // from 1
	Step             int // finished steps
	TrainingLoss     *float64
	ValidationLosses []float64 // if the job was evaluated at that step
	Manifest         string    // SHA-256 of the manifest of its files, in hex
}

// CheckpointSuffixMax is the most characters that a checkpoint's name has after the job's
// model's: "-epoch-10".
const CheckpointSuffixMax = 9

// CheckpointName returns the name of the model that the end of an epoch becomes.
func (j *Job) CheckpointName(epoch int) string {
	return fmt.Sprintf("%s-epoch-%d", j.CustomModelName, epoch)
}

// CheckpointID returns that model's id. It follows from the id of the job's model, so that a
// retried publication is the same.
func (j *Job) CheckpointID(epoch int) string {
	const length = 12 // of an id
	sum := sha256.Sum256(fmt.Appendf(nil, "%s epoch %d", j.CustomModelID, epoch))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:length]
}

// CheckpointEpochs returns the epochs whose ends the job may leave as models: all of them, or
// none. Which ones it does is known when it has ended.
func (j *Job) CheckpointEpochs() (epochs []int) {
	if j.Train.KeepCheckpoints == 0 {
		return nil
	}
	for e := range j.Train.Epochs {
		epochs = append(epochs, e+1)
	}
	return epochs
}
