"""The revisions of the ledger, one file each; a published one is never changed."""
