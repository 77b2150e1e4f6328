using System.Reflection;
using Aspire.Hosting.Orchestration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>What is different under test: no dashboard, random ports, and the AppHost's first launch profile as configuration.</summary>
internal static class TestingDefaults
{
    public static void AddServices(IServiceCollection services)
    {
        if (Environment.GetEnvironmentVariable("ASPIRE_TESTING_DISABLE_HTTP_CLIENT") is not ("true" or "1"))
        {
            services.AddHttpClient();
        }
    }

    public static void Apply(
        DistributedApplicationOptions options,
        HostApplicationBuilderSettings settings,
        string[] args,
        Assembly appHost,
        Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure)
    {
        settings.Args = [.. settings.Args ?? [], .. args];
        settings.ApplicationName = appHost.GetName().Name;
        options.Args = settings.Args;
        options.AssemblyName = settings.ApplicationName;
        options.DisableDashboard = true;
        options.EnableResourceLogging = true;
        var directory = appHost.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(metadata => string.Equals(metadata.Key, "apphostprojectpath", StringComparison.OrdinalIgnoreCase))?.Value;
        if (Directory.Exists(directory))
        {
            settings.ContentRootPath = directory;
        }

        SetDefaults(settings, new Dictionary<string, string?>
        {
            ["DcpPublisher:RandomizePorts"] = "true",
            ["ASPNETCORE_URLS"] = "http://localhost:8080",
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = "http://localhost:4317",
            ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
        });
        configure(options, settings);
        if (directory is not null)
        {
            SetDefaults(settings, LaunchProfile(settings, directory));
        }
    }

    private static Dictionary<string, string?> LaunchProfile(HostApplicationBuilderSettings settings, string directory)
    {
        var defaults = new Dictionary<string, string?>();
        if (LaunchSettingsReader.Read(directory) is not { Profiles.Count: > 0 } launchSettings)
        {
            return defaults;
        }

        var name = Known(settings)["DOTNET_LAUNCH_PROFILE"] is { Length: > 0 } chosen ? chosen : launchSettings.Profiles.First().Key;
        if (!launchSettings.Profiles.TryGetValue(name, out var profile))
        {
            throw new InvalidOperationException($"The configured launch profile, '{name}', was not found in the launch settings file.");
        }

        defaults["DOTNET_LAUNCH_PROFILE"] = name;
        foreach (var (variable, value) in profile.EnvironmentVariables)
        {
            defaults[variable] = value;

            // The host reads its own settings (the environment's name) without these prefixes.
            foreach (var prefix in new[] { "DOTNET_", "ASPNETCORE_" })
            {
                if (variable.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                {
                    defaults[variable[prefix.Length..]] = value;
                }
            }
        }

        return defaults;
    }

    private static void SetDefaults(HostApplicationBuilderSettings settings, Dictionary<string, string?> defaults)
    {
        var known = Known(settings);
        settings.Configuration ??= new ConfigurationManager();
        settings.Configuration.AddInMemoryCollection(defaults.Where(pair => known[pair.Key] is null));
    }

    private static ConfigurationManager Known(HostApplicationBuilderSettings settings)
    {
        var known = new ConfigurationManager();
        known.AddCommandLine(settings.Args ?? []);
        if (settings.Configuration is not null)
        {
            known.AddConfiguration(settings.Configuration);
        }

        return known;
    }
}
