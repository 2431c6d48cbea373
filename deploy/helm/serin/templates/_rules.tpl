{{- /* Written by `cargo xtask deploy`: the rules of the controller's roles, by where they hold. */ -}}
{{- define "serin.rules.watched" -}}
- apiGroups:
  - argoproj.io
  resources:
  - rollouts
  verbs:
  - get
  - list
  - watch
  - patch
- apiGroups:
  - argoproj.io
  resources:
  - rollouts/status
  verbs:
  - patch
- apiGroups:
  - argoproj.io
  resources:
  - rollouts/finalizers
  - experiments/finalizers
  - analysisruns/finalizers
  verbs:
  - update
- apiGroups:
  - argoproj.io
  resources:
  - analysisruns
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - argoproj.io
  resources:
  - experiments
  verbs:
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - argoproj.io
  resources:
  - analysistemplates
  verbs:
  - list
  - watch
- apiGroups:
  - apps
  resources:
  - replicasets
  verbs:
  - get
  - list
  - watch
  - create
  - update
  - patch
  - delete
- apiGroups:
  - apps
  resources:
  - deployments
  verbs:
  - list
  - watch
  - patch
- apiGroups:
  - ""
  resources:
  - podtemplates
  verbs:
  - list
  - watch
- apiGroups:
  - ""
  resources:
  - services
  verbs:
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - ""
  resources:
  - pods
  verbs:
  - list
  - patch
- apiGroups:
  - ""
  resources:
  - pods/eviction
  verbs:
  - create
- apiGroups:
  - ""
  resources:
  - pods/log
  verbs:
  - get
- apiGroups:
  - ""
  resources:
  - events
  verbs:
  - create
- apiGroups:
  - batch
  resources:
  - jobs
  verbs:
  - get
  - list
  - watch
  - create
  - delete
- apiGroups:
  - networking.k8s.io
  resources:
  - ingresses
  verbs:
  - list
  - watch
  - create
  - patch
- apiGroups:
  - gateway.networking.k8s.io
  resources:
  - httproutes
  - grpcroutes
  verbs:
  - list
  - watch
  - patch
{{- end }}
{{- define "serin.rules.cluster" -}}
- apiGroups:
  - argoproj.io
  resources:
  - clusteranalysistemplates
  verbs:
  - list
  - watch
{{- end }}
{{- define "serin.rules.secrets" -}}
- apiGroups:
  - ""
  resources:
  - secrets
  verbs:
  - get
{{- end }}
{{- define "serin.rules.home" -}}
- apiGroups:
  - coordination.k8s.io
  resources:
  - leases
  verbs:
  - create
{{- end }}
{{- define "serin.rules.lock" -}}
- apiGroups:
  - coordination.k8s.io
  resources:
  - leases
  verbs:
  - get
  - update
  resourceNames:
  - {{ include "serin.lock" . }}
{{- end }}
