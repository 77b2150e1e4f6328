using System.Diagnostics.CodeAnalysis;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;
using Aspire.Hosting.Orchestration;
using Aspire.Hosting.Postgres;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Aspire.Hosting;

public static class PostgresBuilderExtensions
{
    private const string DataTarget = "/var/lib/postgresql";

    public static IResourceBuilder<PostgresServerResource> AddPostgres(
        this IDistributedApplicationBuilder builder,
        string name,
        IResourceBuilder<ParameterResource>? userName = null,
        IResourceBuilder<ParameterResource>? password = null,
        int? port = null)
    {
        var parameter = password?.Resource
            ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password");
        var postgres = new PostgresServerResource(name, userName?.Resource, parameter);
        var healthCheck = $"{name}_check";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            healthCheck, _ => new PostgresHealthCheck(postgres, "postgres", () => true), null, null));
        builder.Eventing.Subscribe<ResourceReadyEvent>(postgres, async (@event, cancellationToken) =>
        {
            var logger = @event.Services.GetRequiredService<ResourceLoggerService>().GetLogger(postgres);
            foreach (var database in builder.Resources.OfType<PostgresDatabaseResource>().Where(database => database.Parent == postgres))
            {
                await CreateDatabaseAsync(database, logger, cancellationToken).ConfigureAwait(false);
            }
        });
        return builder.AddResource(postgres)
            .WithEndpoint(port: port, targetPort: 5432, name: PostgresServerResource.PrimaryEndpointName)
            .WithHealthCheck(healthCheck)
            .WithAnnotation(new LocalServerAnnotation
            {
                Source = "postgres",
                DataTarget = DataTarget,
                RunAsUser = () => PostgresServer.RunAsUser,
                PrepareAsync = async (context, cancellationToken) =>
                {
                    var spec = await PostgresServer.PrepareAsync(
                        context.Port,
                        await UserNameAsync(postgres, cancellationToken).ConfigureAwait(false),
                        await postgres.PasswordParameter.GetValueAsync(cancellationToken).ConfigureAwait(false) ?? "",
                        context.DataFolder,
                        context.OnLine,
                        cancellationToken).ConfigureAwait(false);
                    return spec with { Arguments = [.. spec.Arguments, .. context.Arguments] };
                },
            });
    }

    public static IResourceBuilder<PostgresDatabaseResource> AddDatabase(
        this IResourceBuilder<PostgresServerResource> builder,
        string name,
        string? databaseName = null)
    {
        var database = new PostgresDatabaseResource(name, databaseName ?? name, builder.Resource);
        builder.Resource.AddDatabase(name, database.DatabaseName);
        var healthCheck = $"{name}_check";
        builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            healthCheck, _ => new PostgresHealthCheck(builder.Resource, database.DatabaseName, () => database.IsCreated), null, null));
        return builder.ApplicationBuilder.AddResource(database).WithHealthCheck(healthCheck);
    }

    public static IResourceBuilder<PostgresDatabaseResource> WithCreationScript(
        this IResourceBuilder<PostgresDatabaseResource> builder,
        string script) =>
        builder.WithAnnotation(new CreationScriptAnnotation(script), ResourceAnnotationMutationBehavior.Replace);

    public static IResourceBuilder<PostgresServerResource> WithDataVolume(
        this IResourceBuilder<PostgresServerResource> builder,
        string? name = null,
        bool isReadOnly = false) =>
        builder.WithData(name ?? VolumeNames.For(builder, "data"), ContainerMountType.Volume, isReadOnly);

    public static IResourceBuilder<PostgresServerResource> WithDataBindMount(
        this IResourceBuilder<PostgresServerResource> builder,
        string source,
        bool isReadOnly = false) => builder.WithData(source, ContainerMountType.BindMount, isReadOnly);

    public static IResourceBuilder<PostgresServerResource> WithPassword(
        this IResourceBuilder<PostgresServerResource> builder,
        IResourceBuilder<ParameterResource> password)
    {
        builder.Resource.PasswordParameter = password.Resource;
        return builder;
    }

    public static IResourceBuilder<PostgresServerResource> WithUserName(
        this IResourceBuilder<PostgresServerResource> builder,
        IResourceBuilder<ParameterResource> userName)
    {
        builder.Resource.UserNameParameter = userName.Resource;
        return builder;
    }

    public static IResourceBuilder<PostgresServerResource> WithHostPort(this IResourceBuilder<PostgresServerResource> builder, int? port) =>
        builder.WithEndpoint(PostgresServerResource.PrimaryEndpointName, endpoint => endpoint.Port = port);

    private static IResourceBuilder<PostgresServerResource> WithData(
        this IResourceBuilder<PostgresServerResource> builder,
        string source,
        ContainerMountType type,
        bool isReadOnly)
    {
        builder.Resource.PasswordParameter.IsKept = true;
        return builder.WithAnnotation(new ContainerMountAnnotation(source, DataTarget, type, isReadOnly));
    }

    private static async ValueTask<string> UserNameAsync(PostgresServerResource postgres, CancellationToken cancellationToken) =>
        await postgres.UserNameReference.GetValueAsync(cancellationToken).ConfigureAwait(false) ?? PostgresServerResource.DefaultUserName;

    [SuppressMessage("Security", "CA2100:Review SQL queries for security vulnerabilities", Justification = "The AppHost's own text.")]
    private static async Task CreateDatabaseAsync(PostgresDatabaseResource database, ILogger logger, CancellationToken cancellationToken)
    {
        var connectionString = await database.Parent.GetConnectionStringAsync(cancellationToken).ConfigureAwait(false);
        var builder = new NpgsqlConnectionStringBuilder(connectionString) { Database = "postgres", Pooling = false };
        await using var connection = new NpgsqlConnection(builder.ConnectionString);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var command = connection.CreateCommand();
        command.CommandText = database.TryGetLastAnnotation<CreationScriptAnnotation>(out var script)
            ? script.Script
            : $"CREATE DATABASE \"{database.DatabaseName.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            logger.LogInformation("Database '{Database}' created.", database.DatabaseName);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.DuplicateDatabase)
        {
            logger.LogDebug("Database '{Database}' exists already.", database.DatabaseName);
        }

        database.IsCreated = true;
    }

    private sealed record CreationScriptAnnotation(string Script) : IResourceAnnotation;
}
