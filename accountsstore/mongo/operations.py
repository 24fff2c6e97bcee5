from django_mongodb_backend.operations import DatabaseOperations as MongoOperations


class DatabaseOperations(MongoOperations):
    compiler_module = "accountsstore.mongo.compiler"
