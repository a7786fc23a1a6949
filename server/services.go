package server

import (
	"errors"
	"net/http"
	"time"

	"outcrop.dev/outcrop/attempt"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/service/bedrockruntime"
	"outcrop.dev/outcrop/service/s3"
	"outcrop.dev/outcrop/service/sts"
	"outcrop.dev/outcrop/tune"
	"outcrop.dev/outcrop/wire/restjson"
	"outcrop.dev/outcrop/wire/sigv4"
)

// s3Domain is the host under which BUCKET.localhost is a bucket: the AWS SDK for Go writes it so.
const s3Domain = "localhost"

// route puts the services over the rooms and behind the endpoints.
func (s *Server) route() {
	r, log := s.rooms, s.cfg.Log
	objects := r.blobs.Objects()

	router := restjson.NewRouter(newRequestID, log)
	bedrock.Register(router, bedrock.New(r.store, objects, r.catalog, r.models, dataChecker{&tune.Checker{}, r.exec, s.cfg.MemoryBytes},
		s.cfg.Clock, newID, bedrock.DefaultQuotas(), log))
	bedrockruntime.Register(router, bedrockruntime.New(r.models, r.store, r.engine, r.meter,
		bedrockruntime.Options{Now: s.cfg.Clock, After: time.After}))
	buckets := s3.New(r.blobs, s3.Options{Domains: []string{s3Domain}, NewRequestID: newRequestID, Log: log})

	caller := sts.New(newRequestID, log)

	metered := func(service string, h http.Handler) http.Handler { return r.meter.Instrument(service, s.cfg.Clock, h) }
	s.endpoints = endpoints{
		bedrock:       endpoint{name: "bedrock", handler: metered("bedrock", router), refuse: refuseJSON(log)},
		s3:            endpoint{name: "s3", handler: metered("s3", buckets), refuse: refuseS3(buckets)},
		sts:           endpoint{name: "sts", handler: metered("sts", caller), refuse: refuseXML(caller)},
		bedrockRoutes: router,
	}
	s.verifier = sigv4.Verifier{Secrets: secretOf(s.root), Services: []string{"s3", "bedrock", "sts"}, Bucket: buckets.BucketOf,
		Reserve: newBodyBudget(unverifiedMax, unverifiedWait).reserve}
	s.attempts = attempt.NewHandler(r.signer, r.jobs, objects, log)
	s.metrics = r.meter.Handler()
}

// refuseS3 answers as S3 does.
func refuseS3(buckets *s3.Service) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		var refused *sigv4.Error
		if errors.As(err, &refused) {
			hinted := *refused
			hinted.Msg = hint(refused)
			err = &hinted
		}
		buckets.Refuse(w, r, err)
	}
}

// refuseXML answers as STS does.
func refuseXML(caller *sts.Service) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, _ *http.Request, err error) {
		caller.WriteError(w, modelled(err, (*sigv4.Error).Query))
	}
}
