package bedrock

import (
	"slices"

	"outcrop.dev/outcrop"
)

// What every model of ours takes, gives and costs (ModelModality, InferenceType,
// FoundationModelLifecycleStatus).
const (
	modalityText         = "TEXT"
	inferenceOnDemand    = "ON_DEMAND"
	inferenceProvisioned = "PROVISIONED"
	lifecycleActive      = "ACTIVE"
)

// foundationSummary describes a foundation model under one of its ids.
func foundationSummary(sc outcrop.Scope, f outcrop.FoundationModel, id string) FoundationModelSummary {
	streams := true
	return FoundationModelSummary{
		ModelArn:                   string(sc.ARN(outcrop.KindFoundationModel, id)),
		ModelId:                    id,
		ModelName:                  f.Name,
		ProviderName:               f.Provider,
		InputModalities:            []string{modalityText},
		OutputModalities:           []string{modalityText},
		ResponseStreamingSupported: &streams,
		CustomizationsSupported:    append([]string{}, f.Customizations...),
		InferenceTypesSupported:    []string{inferenceOnDemand, inferenceProvisioned},
		ModelLifecycle:             &FoundationModelLifecycle{Status: lifecycleActive},
	}
}

// selects reports whether a model is among those that a request lists.
func (in *ListFoundationModelsInput) selects(m FoundationModelSummary) bool {
	return (in.ByProvider == "" || in.ByProvider == m.ProviderName) &&
		(in.ByCustomizationType == "" || slices.Contains(m.CustomizationsSupported, in.ByCustomizationType)) &&
		(in.ByOutputModality == "" || slices.Contains(m.OutputModalities, in.ByOutputModality)) &&
		(in.ByInferenceType == "" || slices.Contains(m.InferenceTypesSupported, in.ByInferenceType))
}
