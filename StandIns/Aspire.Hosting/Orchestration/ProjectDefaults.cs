using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Orchestration;

/// <summary>What a project gets without asking: its endpoints, and the variables that official hosting injects.</summary>
internal static class ProjectDefaults
{
    public static void Apply(IResourceBuilder<ProjectResource> project, IProjectMetadata metadata, ProjectResourceOptions options)
    {
        var builder = project.ApplicationBuilder;
        var directory = Path.GetDirectoryName(metadata.ProjectPath)!;
        var profile = LaunchSettingsReader.Choose(
            options.ExcludeLaunchProfile ? null : metadata.LaunchSettings ?? LaunchSettingsReader.Read(directory),
            options,
            builder.Configuration,
            metadata.ProjectPath);

        project.WithEnvironment(AddConstants);
        project.WithEnvironment(OtlpEnvironment.Add);
        var hasKestrelEndpoints = !options.ExcludeKestrelEndpoints && AddKestrelEndpoints(project, directory);
        if (profile is { } chosen)
        {
            project.WithAnnotation(new EffectiveLaunchProfileAnnotation(chosen.Name, chosen.Profile));

            // Where Kestrel has endpoints of its own it ignores the addresses of the profile, so they are no endpoints here, either.
            if (!hasKestrelEndpoints)
            {
                AddApplicationUrls(project, chosen.Profile);
            }

            project.WithEnvironment(context => AddProfileVariables(context, chosen.Name, chosen.Profile));
        }

        project.WithEnvironment(context =>
        {
            if (hasKestrelEndpoints)
            {
                AddKestrelOverrides(context);
            }
            else
            {
                AddUrls(context);
            }
        });
    }

    private static void AddConstants(EnvironmentCallbackContext context)
    {
        var variables = context.EnvironmentVariables;
        variables["OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"] = "in_memory";
        variables["DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION"] = "true";
        variables["LOGGING__CONSOLE__FORMATTERNAME"] = "simple";
        if (context.Instance?.HostEnvironment.IsDevelopment() == true)
        {
            variables["OTEL_DOTNET_EXPERIMENTAL_ASPNETCORE_DISABLE_URL_QUERY_REDACTION"] = "true";
            variables["OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION"] = "true";
        }
    }

    /// <summary>The endpoints that the project's own configuration names under Kestrel:Endpoints.</summary>
    private static bool AddKestrelEndpoints(IResourceBuilder<ProjectResource> project, string directory)
    {
        var configuration = ProjectConfiguration(project.ApplicationBuilder, directory);
        var byScheme = configuration.GetSection("Kestrel:Endpoints").GetChildren()
            .Where(endpoint => endpoint["Url"] is not null)
            .Select(endpoint => (endpoint.Key, Address: BindingAddress.Parse(endpoint["Url"]!), Protocols: endpoint["Protocols"]))
            .GroupBy(endpoint => endpoint.Address.Scheme)
            .ToArray();
        var defaultProtocols = configuration["Kestrel:EndpointDefaults:Protocols"];
        foreach (var scheme in byScheme)
        {
            // The only endpoint of a scheme bears the scheme's name, whatever its key is.
            var isOnly = scheme.Count() == 1;
            foreach (var (key, address, protocols) in scheme)
            {
                project.WithEndpoint(isOnly ? scheme.Key : key, endpoint =>
                {
                    endpoint.Port = address.Port;
                    endpoint.UriScheme = address.Scheme;
                    endpoint.TargetHost = address.Host;
                    if ((protocols ?? defaultProtocols) == "Http2")
                    {
                        endpoint.Transport = "http2";
                    }
                });
            }
        }

        return byScheme.Length > 0;
    }

    private static IConfigurationRoot ProjectConfiguration(IDistributedApplicationBuilder builder, string directory)
    {
        var environment = builder.Configuration["ASPNETCORE_ENVIRONMENT"] ?? builder.Configuration["DOTNET_ENVIRONMENT"]
            ?? builder.Environment.EnvironmentName;
        return new ConfigurationBuilder()
            .AddJsonFile(Path.Combine(directory, "appsettings.json"), optional: true)
            .AddJsonFile(Path.Combine(directory, $"appsettings.{environment}.json"), optional: true)
            .Build();
    }

    private static void AddApplicationUrls(IResourceBuilder<ProjectResource> project, LaunchProfile profile)
    {
        var byScheme = (profile.ApplicationUrl ?? "")
            .Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(BindingAddress.Parse)
            .GroupBy(address => address.Scheme);
        foreach (var scheme in byScheme)
        {
            var index = 0;
            foreach (var address in scheme)
            {
                var name = index++ == 0 ? scheme.Key : $"{scheme.Key}{index}";
                project.WithEndpoint(name, endpoint =>
                {
                    endpoint.Port = address.Port;
                    endpoint.UriScheme = address.Scheme;
                    endpoint.TargetHost = address.Host;
                });
            }
        }
    }

    private static void AddProfileVariables(EnvironmentCallbackContext context, string profileName, LaunchProfile profile)
    {
        context.EnvironmentVariables.TryAdd("DOTNET_LAUNCH_PROFILE", profileName);
        foreach (var (name, value) in profile.EnvironmentVariables)
        {
            context.EnvironmentVariables.TryAdd(name, Environment.ExpandEnvironmentVariables(value));
        }
    }

    /// <summary>Configured endpoints override every other address, so all must be told where this replica listens.</summary>
    private static void AddKestrelOverrides(EnvironmentCallbackContext context)
    {
        var resource = (ProjectResource)context.Resource;
        foreach (var endpoint in HttpEndpoints(resource))
        {
            context.EnvironmentVariables[$"Kestrel__Endpoints__{endpoint.EndpointName}__Url"] = TargetUrl(endpoint);
        }
    }

    private static void AddUrls(EnvironmentCallbackContext context)
    {
        var resource = (ProjectResource)context.Resource;
        if (context.EnvironmentVariables.ContainsKey("ASPNETCORE_URLS"))
        {
            return;
        }

        var urls = new ReferenceExpressionBuilder();
        foreach (var endpoint in HttpEndpoints(resource))
        {
            if (!urls.IsEmpty)
            {
                urls.AppendLiteral(";");
            }

            urls.AppendFormatted(TargetUrl(endpoint));
            if (endpoint.IsHttps)
            {
                context.EnvironmentVariables.TryAdd("ASPNETCORE_HTTPS_PORT", endpoint.Property(EndpointProperty.Port));
            }
        }

        if (!urls.IsEmpty)
        {
            context.EnvironmentVariables["ASPNETCORE_URLS"] = urls.Build();
        }
    }

    private static IEnumerable<EndpointReference> HttpEndpoints(ProjectResource resource) =>
        resource.GetEndpoints().Where(endpoint => endpoint.IsHttp || endpoint.IsHttps);

    private static ReferenceExpression TargetUrl(EndpointReference endpoint) => ReferenceExpression.Create(
        $"{endpoint.Scheme}://{endpoint.EndpointAnnotation.TargetHost}:{endpoint.Property(EndpointProperty.TargetPort)}");
}
