package models

import "outcrop.dev/outcrop"

// job is the noun of what makes custom models. It is no model, but needs one until it ends, and
// will own some.
func (m *Models) job() noun {
	return noun{
		kind: outcrop.KindJob, name: "job", statuses: []outcrop.Status{outcrop.JobInProgress, outcrop.JobStopping},
		needs: func(rec outcrop.Record) ([]string, error) {
			j, err := outcrop.JobOf(rec)
			if err != nil {
				return nil, err
			}
			return []string{string(j.BaseModelARN), j.BaseModelID}, nil
		},
		owns: func(rec outcrop.Record) ([]string, error) {
			j, err := outcrop.JobOf(rec)
			if err != nil {
				return nil, err
			}
			ids := []string{j.CustomModelID}
			for _, epoch := range j.CheckpointEpochs() {
				ids = append(ids, j.CheckpointID(epoch))
			}
			return ids, nil
		},
	}
}
