from django_mongodb_backend.base import DatabaseWrapper as MongoWrapper

from accountsstore.mongo.schema import DatabaseSchemaEditor


class DatabaseWrapper(MongoWrapper):
    SchemaEditorClass = DatabaseSchemaEditor
