"""Places on running servers: a bucket, folder or table of their own on each, so that several may share a server.

Takes servers as `tests.servers` starts them, gives StoragePlaces; must not start or stop one.
"""

from __future__ import annotations

import ftplib
import secrets
import stat
from collections.abc import Mapping
from typing import Any

from benchmarks.storage_place import StoragePlace, credential, writer_into
from tests.servers.azurite import AzureServer
from tests.servers.fake_gcs import GcsServer
from tests.servers.ftp import FtpServer
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Server
from tests.servers.samba import SmbServer
from tests.servers.sshd import SftpServer
from tests.servers.webdav import WebdavServer

__all__ = ["of_azure", "of_ftp", "of_gcs", "of_postgres", "of_s3", "of_sftp", "of_smb", "of_webdav"]

TABLE = {"table": "pictures", "key_column": "id", "blob_column": "data", "name_column": "name"}
"""How the tables of databases are told of, as options of their location."""


def _name() -> str:
    return f"place-{secrets.token_hex(6)}"


def of_s3(server: S3Server) -> StoragePlace:
    """A new bucket."""
    client, bucket = server.client(), _name()
    client.create_bucket(Bucket=bucket)
    options = {
        "region": server.region,
        "addressing": "path",
        "access_key": credential(server.access_key),
        "secret_key": credential(server.secret_key),
    }

    def listed() -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sum(len(page.get("Contents", ())) for page in pages)

    return StoragePlace(
        "s3",
        lambda port: (f"s3://{bucket}", {"endpoint": f"http://127.0.0.1:{port}", **options}),
        lambda path, data: client.put_object(Bucket=bucket, Key=path, Body=data),
        listed,
        server,
        root=bucket,
    )


def of_azure(server: AzureServer) -> StoragePlace:
    """A new container."""
    from azure.storage.blob import BlobServiceClient

    name = _name()
    container = BlobServiceClient.from_connection_string(server.connection_string).create_container(name)
    key = credential(server.key)

    def located(port: int) -> tuple[str, dict[str, object]]:
        address = f"http://127.0.0.1:{port}/{server.account}"
        told = f"DefaultEndpointsProtocol=http;AccountName={server.account};AccountKey={key};"
        return f"az://{server.account}/{name}", {"connection_string": f"{told}BlobEndpoint={address};"}

    return StoragePlace(
        "azure",
        located,
        lambda path, data: container.upload_blob(path, data, overwrite=True),
        lambda: sum(len(list(page)) for page in container.list_blobs(results_per_page=5000).by_page()),
        server,
        root=name,
    )


def of_gcs(server: GcsServer) -> StoragePlace:
    """A new bucket."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client(server.project, AnonymousCredentials(), client_options={"api_endpoint": server.endpoint})
    bucket = client.create_bucket(_name())
    return StoragePlace(
        "gcs",
        lambda port: (f"gs://{bucket.name}", {"endpoint": f"http://127.0.0.1:{port}", "anonymous": True}),
        lambda path, data: bucket.blob(path).upload_from_string(data),
        # Attributes are parsed when they are asked for: a listing without them would be of names alone.
        lambda: len([(blob.name, blob.size, blob.md5_hash, blob.updated) for blob in client.list_blobs(bucket)]),
        server,
        root=bucket.name,
    )


def of_smb(server: SmbServer) -> StoragePlace:
    """A new folder of the share."""
    import smbclient

    name, cache = _name(), {}
    (server.served / name).mkdir()
    login: dict[str, Any] = {
        "username": server.user,
        "password": server.password,
        "port": server.port,
        "connection_cache": cache,
    }

    def listed() -> int:
        found, folders = 0, [rf"\\{server.host}\{server.share}\{name}"]
        while folders:
            for entry in smbclient.scandir(folders.pop(), **login):
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    found += entry.smb_info.end_of_file >= 0
        return found

    password = credential(server.password)
    return StoragePlace(
        "smb",
        lambda port: (f"smb://{server.user}@127.0.0.1:{port}/{server.share}/{name}", {"password": password}),
        writer_into(server.served / name),
        listed,
        server,
        root=name,
        folder=server.served / name,
    )


def of_sftp(server: SftpServer) -> StoragePlace:
    """A new folder."""
    name = _name()
    base = server.served / name
    base.mkdir()
    options = {"private_key_file": str(server.private_key), "host_key": server.host_key}

    def listed() -> int:
        import paramiko

        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect(
                server.host,
                server.port,
                server.user,
                key_filename=str(server.private_key),
                allow_agent=False,
                look_for_keys=False,
            )
            found, folders, sftp = 0, [str(base)], client.open_sftp()
            while folders:
                here = folders.pop()
                for entry in sftp.listdir_attr(here):
                    if stat.S_ISDIR(entry.st_mode or 0):
                        folders.append(f"{here}/{entry.filename}")
                    else:
                        found += 1
        return found

    return StoragePlace(
        "sftp",
        lambda port: (f"sftp://{server.user}@127.0.0.1:{port}{base}", dict(options)),
        writer_into(base),
        listed,
        server,
        root=name,
        folder=base,
    )


def of_ftp(server: FtpServer, kind: str = "ftp", weak: str = "") -> StoragePlace:
    """A new folder.

    Args:
        server: Any server of FTP.
        kind: Its name in tables.
        weak: Why its listings tell less than ours must; then LIST is what there is, else MLSD.
    """
    name = _name()
    (server.served / name).mkdir()
    base = f"{server.base.rstrip('/')}/{name}"

    def listed() -> int:
        with ftplib.FTP(encoding="utf-8") as ftp:
            ftp.connect(server.host, server.port)
            ftp.login(server.user, server.password)
            found, folders = 0, [base]
            while folders:
                here = folders.pop()
                if weak:
                    lines: list[str] = []
                    ftp.dir(here, lines.append)
                    entries = [(line.split(maxsplit=8)[8], line[0] == "d") for line in lines]
                else:
                    entries = [(entry, facts["type"] == "dir") for entry, facts in ftp.mlsd(here)]
                for entry, is_folder in entries:
                    if is_folder:
                        folders.append(f"{here}/{entry}")
                    else:
                        found += 1
            return found

    password = credential(server.password)
    return StoragePlace(
        kind,
        lambda port: (f"ftp://{server.user}@127.0.0.1:{port}{base}", {"password": password}),
        writer_into(server.served / name),
        listed,
        server,
        root=name,
        folder=server.served / name,
        weak_listing=weak,
    )


def of_webdav(server: WebdavServer) -> StoragePlace:
    """A new folder."""
    name = _name()
    (server.served / name).mkdir()

    def listed() -> int:
        from webdav4.client import Client

        client = Client(server.endpoint, auth=(server.user, server.password))
        found, folders = 0, [name]
        while folders:
            for entry in client.ls(folders.pop(), detail=True):
                if entry["type"] == "directory":
                    folders.append(entry["name"])
                else:
                    found += 1
        return found

    password = credential(server.password)
    return StoragePlace(
        "webdav",
        lambda port: (f"webdav://{server.user}@127.0.0.1:{port}/{name}", {"password": password}),
        writer_into(server.served / name),
        listed,
        server,
        root=name,
        folder=server.served / name,
    )


def of_postgres(server: PostgresServer) -> StoragePlace:
    """A new table."""
    import psycopg

    table = _name().replace("-", "_")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {table} (id serial PRIMARY KEY, name text UNIQUE, data bytea)")
        connection.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STORAGE EXTERNAL")
    put = f"INSERT INTO {table} (name, data) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET data = excluded.data"
    password = credential(server.password)

    def put_all(files: Mapping[str, bytes]) -> None:
        with psycopg.connect(server.url) as connection, connection.cursor() as cursor:
            cursor.executemany(put, list(files.items()))

    def listed() -> int:
        with psycopg.connect(server.url) as connection:
            return len(connection.execute(f"SELECT id, name, xmin, octet_length(data) FROM {table}").fetchall())

    return StoragePlace(
        "postgresql",
        lambda port: (
            f"postgresql://{server.user}@127.0.0.1:{port}/{server.database}",
            {**TABLE, "table": table, "password": password},
        ),
        lambda path, data: put_all({path: data}),
        listed,
        server,
        put_all,
        root=table,
    )
