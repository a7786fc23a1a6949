package models_test

import (
	"context"
	"fmt"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/models"
)

// shelf has one model.
type shelf struct{}

func (shelf) Lookup(id string) (outcrop.FoundationModel, bool) {
	return outcrop.FoundationModel{ID: "acme.slate-v1", FilesID: "acme.slate-v1", Dir: "/shelf/slate", Dialect: "titan"}, id == "acme.slate-v1"
}

func Example() {
	scope := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	all := models.New(shelf{}, memory.New(time.Now), "/models")
	for _, identifier := range []string{"acme.slate-v1", "arn:aws:bedrock:eu-west-1::foundation-model/acme.slate-v1"} {
		target, err := all.Invocable(context.Background(), scope, identifier)
		if err != nil {
			fmt.Println(outcrop.CodeOf(err))
			continue
		}
		fmt.Println(target.Resource, target.Files.Dir)
	}
	// Output:
	// arn:aws:bedrock:us-east-1::foundation-model/acme.slate-v1 /shelf/slate
	// ResourceNotFoundException
}
