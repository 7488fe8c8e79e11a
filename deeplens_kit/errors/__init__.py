"""Every error that DeepLens raises on purpose, in one tree.

Takes nothing, gives exception classes; must not import any other module of the package. Each class has a
stable `code` (rows of `failures`, JSON, problem documents) and an `exit_code` (the CLI). A message says what
happened, to which value, what is allowed and what to do next, in one line without secrets.

    DeepLensError                    exit 1
    ├── SettingsError                exit 2   a setting, option or argument that is not allowed
    │   ├── UnknownNameError         exit 2   a name that does not exist, with the nearest that does
    │   ├── CredentialMissingError   exit 2   a credential is not where its reference says
    │   └── NamedInBodyError         exit 2   the body of a request names what there is not
    ├── WorkspaceError               exit 3   the workspace cannot be used
    │   ├── WorkspaceMissingError    exit 3   no workspace.toml there
    │   ├── WorkspaceSchemaError     exit 3   older (run `deeplens upgrade`) or newer than this version
    │   ├── BackupError              exit 3   a backup is not there, is damaged, or cannot go where it should
    │   └── StoreFullError           exit 3   no space left, or a quota reached
    ├── LocationError                exit 4   a location cannot be used at all
    │   ├── LocationUnavailableError exit 4   cannot be reached or listed
    │   ├── LocationEmptiedError     exit 4   lists empty where it held objects
    │   └── LocationReadOnlyError    exit 4   not opened for what was asked, or its kind cannot do it
    ├── LeaseHeldError               exit 5   another run works on this location
    ├── ObjectError                  exit 1   one stored file; becomes a row in `failures`
    │   ├── ObjectUnreadableError             the bytes cannot be had
    │   │   ├── ObjectForbiddenError          we may not read it
    │   │   └── ObjectGoneError               it is no longer there
    │   ├── PlaceholderError                  a cloud client keeps only its name here
    │   ├── ObjectChangedError                it changed while it was read
    │   ├── ObjectKeptOutError                it was forgotten and must not come back
    │   ├── ObjectExistsError                 something has the name already
    │   ├── UnsupportedFormatError            not a picture format that is read
    │   │   └── NotAPictureError              not a picture, drawing or video at all
    │   ├── CorruptPictureError               the decoder gave up
    │   ├── DecoderCrashedError               the decoder's process ended over it
    │   ├── DecodeTimeoutError                it was not decoded in time
    │   └── LimitExceededError                bytes, pixels, frames or memory above the limit
    ├── QueryError                   exit 2   a picture or link to search for that cannot be used
    │   └── LinkRefusedError         exit 2   a link that is not followed: private address, wrong kind, too large
    ├── ReportError                  exit 1   a report could not be made; the last good one stands
    │   └── ReportRunningError       exit 5   a schedule's report is being made already, or was made
    ├── PlanError                    exit 7   a plan cannot be used as it is
    │   ├── PlanNotApprovedError     exit 7   nobody approved it as it stands, or somebody refused it
    │   ├── PlanStaleError           exit 7   too old, or what it speaks of changed: refresh it
    │   ├── PlanStateError           exit 7   it is applied already, or being applied
    │   └── WorkflowPausedError      exit 7   a workflow that does nothing until somebody resumes it
    ├── ActionsHaltedError           exit 8   applying stopped: too many failures or skips; what was done stands
    ├── AccessError                  exit 10  somebody may not do what they asked for
    │   ├── NotAuthenticatedError    exit 10  nobody knows who asks
    │   ├── AccessDeniedError        exit 10  whoever asks lacks the scope
    │   └── RateLimitedError         exit 10  too many requests in a while
    │       └── ServerBusyError      exit 10  as many costly ones as the server takes on are under way or wait
    ├── RequestError                 exit 2   a request over HTTP that cannot be done as it was sent
    │   ├── MissingError             exit 2   what it speaks of is not there
    │   ├── RequestConflictError     exit 2   it contradicts what is there, or another request
    │   ├── KeyReusedError           exit 2   its idempotency key came with another one
    │   └── BodyTooLargeError        exit 2   it brings more bytes than are taken
    ├── JobError                     exit 1   a job cannot do what is asked
    │   ├── JobStateError            exit 1   it has ended already, or has not
    │   ├── JobLostError             exit 1   its worker has it no more
    │   └── QueueFullError           exit 1   too many jobs wait
    ├── AuditBrokenError             exit 9   a line of the audit trail was altered or is missing
    ├── TooFewLabelsError            exit 1   there are too few labels for what was asked
    ├── DecoderUnavailableError      exit 1   no process to decode in can be started
    ├── ExtraMissingError            exit 6   a part of DeepLens that is not installed
    ├── ModelUnavailableError        exit 6   a model's weights or runtime are not installed
    ├── ModelCorruptError            exit 6   weights do not have the checksum or shape they should
    └── Interrupted                  exit 130 stopped by the user; the work so far is kept
"""

from deeplens_kit.errors.acting import (
    ActionsHaltedError,
    AuditBrokenError,
    PlanError,
    PlanNotApprovedError,
    PlanStaleError,
    PlanStateError,
    WorkflowPausedError,
)
from deeplens_kit.errors.answering import (
    DecoderUnavailableError,
    ExtraMissingError,
    LinkRefusedError,
    ModelCorruptError,
    ModelUnavailableError,
    QueryError,
    ReportError,
    ReportRunningError,
    TooFewLabelsError,
)
from deeplens_kit.errors.base import (
    CredentialMissingError,
    DeepLensError,
    Interrupted,
    SettingsError,
    UnknownNameError,
)
from deeplens_kit.errors.objects import (
    CorruptPictureError,
    DecoderCrashedError,
    DecodeTimeoutError,
    LimitExceededError,
    NotAPictureError,
    ObjectChangedError,
    ObjectError,
    ObjectExistsError,
    ObjectForbiddenError,
    ObjectGoneError,
    ObjectKeptOutError,
    ObjectUnreadableError,
    PlaceholderError,
    UnsupportedFormatError,
)
from deeplens_kit.errors.serving import (
    AccessDeniedError,
    AccessError,
    BodyTooLargeError,
    JobError,
    JobLostError,
    JobStateError,
    KeyReusedError,
    MissingError,
    NamedInBodyError,
    NotAuthenticatedError,
    QueueFullError,
    RateLimitedError,
    RequestConflictError,
    RequestError,
    ServerBusyError,
)
from deeplens_kit.errors.stores import (
    BackupError,
    LeaseHeldError,
    LocationEmptiedError,
    LocationError,
    LocationReadOnlyError,
    LocationUnavailableError,
    StoreFullError,
    WorkspaceError,
    WorkspaceMissingError,
    WorkspaceSchemaError,
)

__all__ = [
    "AccessDeniedError",
    "AccessError",
    "ActionsHaltedError",
    "AuditBrokenError",
    "BackupError",
    "BodyTooLargeError",
    "CorruptPictureError",
    "CredentialMissingError",
    "DecodeTimeoutError",
    "DecoderCrashedError",
    "DecoderUnavailableError",
    "DeepLensError",
    "ExtraMissingError",
    "Interrupted",
    "JobError",
    "JobLostError",
    "JobStateError",
    "KeyReusedError",
    "LeaseHeldError",
    "LimitExceededError",
    "LinkRefusedError",
    "LocationEmptiedError",
    "LocationError",
    "LocationReadOnlyError",
    "LocationUnavailableError",
    "MissingError",
    "ModelCorruptError",
    "ModelUnavailableError",
    "NamedInBodyError",
    "NotAPictureError",
    "NotAuthenticatedError",
    "ObjectChangedError",
    "ObjectError",
    "ObjectExistsError",
    "ObjectForbiddenError",
    "ObjectGoneError",
    "ObjectKeptOutError",
    "ObjectUnreadableError",
    "PlaceholderError",
    "PlanError",
    "PlanNotApprovedError",
    "PlanStaleError",
    "PlanStateError",
    "QueryError",
    "QueueFullError",
    "RateLimitedError",
    "ReportError",
    "ReportRunningError",
    "RequestConflictError",
    "RequestError",
    "ServerBusyError",
    "SettingsError",
    "StoreFullError",
    "TooFewLabelsError",
    "UnknownNameError",
    "UnsupportedFormatError",
    "WorkflowPausedError",
    "WorkspaceError",
    "WorkspaceMissingError",
    "WorkspaceSchemaError",
]
