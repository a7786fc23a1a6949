package iam_test

import (
	"fmt"
	"log"
	"os"

	"outcrop.dev/outcrop/data/iam"
)

// The first call makes the root key, the second finds it.
func ExampleLoadRoot() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	first, err := iam.LoadRoot(dir, iam.Key{})
	if err != nil {
		log.Fatal(err)
	}
	again, err := iam.LoadRoot(dir, iam.Key{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.AccessKeyID[:4], len(first.SecretAccessKey), again == first)
	// Output: AKIA 40 true
}
